//! `volume/host_path` and `volume/sandbox_path`: files and directories at other places.
//!
//! What a task may have put into a sandbox is never trusted: below a sandbox no link is followed, on neither side.

use std::path::{Component, Path, PathBuf};

use init::{Bind, Source, Step};

use super::{Plan, Subject};
use crate::isolation::{Volume, VolumeFrom};
use crate::launcher::LaunchError;
use crate::linux::options::Isolator;

pub(super) fn prepare(subject: &Subject<'_>, plan: &mut Plan) -> Result<(), LaunchError> {
    for volume in &subject.spec.wishes.volumes {
        let isolator = match volume.source {
            VolumeFrom::Host(_) => Isolator::VolumeHostPath,
            VolumeFrom::Sandbox(_) | VolumeFrom::ParentSandbox(_) => Isolator::VolumeSandboxPath,
        };
        if !subject.has(isolator) {
            // As where nobody has heard of volumes.
            continue;
        }
        if !subject.has(Isolator::FilesystemLinux) {
            return Err(LaunchError::Wish("volumes need the isolator 'filesystem/linux'".to_owned()));
        }
        if let Some(bind) = bind(subject, volume).map_err(LaunchError::Wish)? {
            plan.binds.push(Step::Bind(bind));
        }
    }
    Ok(())
}

fn bind(subject: &Subject<'_>, volume: &Volume) -> Result<Option<Bind>, String> {
    let source = match &volume.source {
        VolumeFrom::Host(path) => {
            make_if_allowed(path, &subject.options.host_paths_made_below)?;
            Source::Host(path.clone())
        }
        VolumeFrom::Sandbox(path) => {
            if volume.container_path.is_relative() {
                return Err("'container_path' is relative for SANDBOX_PATH volume SELF type".to_owned());
            }
            below(&subject.spec.sandbox, path)?
        }
        VolumeFrom::ParentSandbox(path) => {
            let around = subject.around.ok_or_else(|| {
                "SANDBOX_PATH volume PARENT type only works for nested container".to_owned()
            })?;
            below(&around.sandbox, path)?
        }
    };
    let path = &volume.container_path;
    let target = if path.is_absolute() {
        // Nothing is made outside of sandboxes for a container that sees the machine's files.
        if !path.exists() {
            return Err(format!(
                "mount point '{}' must exist, since the container shares the host's file system",
                path.display()
            ));
        }
        Source::Host(path.clone())
    } else {
        below(&subject.spec.sandbox, path)?
    };
    // Seen where it is already.
    if source == target && !volume.read_only {
        return Ok(None);
    }
    Ok(Some(Bind { source, target, read_only: volume.read_only }))
}

fn below(root: &Path, path: &Path) -> Result<Source, String> {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if plain {
        Ok(Source::Below { root: root.to_owned(), path: path.to_owned() })
    } else {
        Err(format!("path '{}' leaves the sandbox", path.display()))
    }
}

fn make_if_allowed(path: &Path, allowed: &[PathBuf]) -> Result<(), String> {
    if path.is_relative() {
        return Err(format!("path '{}' in HOST_PATH volume is not absolute", path.display()));
    }
    if path.exists() {
        return Ok(());
    }
    let plain = !path.components().any(|part| part == Component::ParentDir);
    if plain && allowed.iter().any(|directory| path.starts_with(directory)) {
        std::fs::create_dir_all(path)
            .map_err(|error| format!("cannot make the host path '{}': {error}", path.display()))
    } else {
        Err(format!("path '{}' in HOST_PATH volume does not exist", path.display()))
    }
}
