//! What a file is, going by its name. The names are those that Mesos knows, so that browsers and tools find what they found.

use std::path::Path;

/// What is not known by its name.
const BYTES: &str = "application/octet-stream";

/// Media types, and which ends of names mean them.
const TYPES: &[(&str, &[&str])] = &[
    ("application/msword", &["doc", "dot", "wiz"]),
    ("application/oda", &["oda"]),
    ("application/pdf", &["pdf"]),
    ("application/pkcs7-mime", &["p7c"]),
    ("application/postscript", &["ai", "eps", "ps"]),
    ("application/vnd.ms-excel", &["xlb", "xls"]),
    ("application/vnd.ms-powerpoint", &["pot", "ppa", "pps", "ppt", "pwz"]),
    ("application/x-bcpio", &["bcpio"]),
    ("application/x-cpio", &["cpio"]),
    ("application/x-csh", &["csh"]),
    ("application/x-dvi", &["dvi"]),
    ("application/x-gtar", &["gtar"]),
    ("application/x-hdf", &["hdf"]),
    ("application/x-javascript", &["js"]),
    ("application/x-latex", &["latex"]),
    ("application/x-mif", &["mif"]),
    ("application/x-netcdf", &["cdf", "nc"]),
    ("application/x-pkcs12", &["p12", "pfx"]),
    ("application/x-pn-realaudio", &["ram"]),
    ("application/x-python-code", &["pyc", "pyo"]),
    ("application/x-sh", &["sh"]),
    ("application/x-shar", &["shar"]),
    ("application/x-shockwave-flash", &["swf"]),
    ("application/x-sv4cpio", &["sv4cpio"]),
    ("application/x-sv4crc", &["sv4crc"]),
    ("application/x-tar", &["tar"]),
    ("application/x-tcl", &["tcl"]),
    ("application/x-tex", &["tex"]),
    ("application/x-texinfo", &["texi", "texinfo"]),
    ("application/x-troff", &["roff", "t", "tr"]),
    ("application/x-troff-man", &["man"]),
    ("application/x-troff-me", &["me"]),
    ("application/x-troff-ms", &["ms"]),
    ("application/x-ustar", &["ustar"]),
    ("application/x-wais-source", &["src"]),
    ("application/xml", &["rdf", "wsdl", "xpdl", "xsl"]),
    ("application/zip", &["zip"]),
    ("audio/basic", &["au", "snd"]),
    ("audio/mpeg", &["mp2", "mp3"]),
    ("audio/x-aiff", &["aif", "aifc", "aiff"]),
    ("audio/x-pn-realaudio", &["ra"]),
    ("audio/x-wav", &["wav"]),
    ("image/gif", &["gif"]),
    ("image/ief", &["ief"]),
    ("image/jpeg", &["jpe", "jpeg", "jpg"]),
    ("image/png", &["png"]),
    ("image/tiff", &["tif", "tiff"]),
    ("image/x-cmu-raster", &["ras"]),
    ("image/x-ms-bmp", &["bmp"]),
    ("image/x-portable-anymap", &["pnm"]),
    ("image/x-portable-bitmap", &["pbm"]),
    ("image/x-portable-graymap", &["pgm"]),
    ("image/x-portable-pixmap", &["ppm"]),
    ("image/x-rgb", &["rgb"]),
    ("image/x-xbitmap", &["xbm"]),
    ("image/x-xpixmap", &["xpm"]),
    ("image/x-xwindowdump", &["xwd"]),
    ("message/rfc822", &["eml", "mht", "mhtml", "nws"]),
    ("text/css", &["css"]),
    ("text/html", &["htm", "html"]),
    ("text/plain", &["bat", "c", "h", "ksh", "pl", "txt"]),
    ("text/richtext", &["rtx"]),
    ("text/tab-separated-values", &["tsv"]),
    ("text/x-python", &["py"]),
    ("text/x-setext", &["etx"]),
    ("text/x-sgml", &["sgm", "sgml"]),
    ("text/x-vcard", &["vcf"]),
    ("text/xml", &["xml"]),
    ("video/mp4", &["mp4"]),
    ("video/mpeg", &["m1v", "mpa", "mpe", "mpeg", "mpg"]),
    ("video/quicktime", &["mov", "qt"]),
    ("video/x-msvideo", &["avi"]),
    ("video/x-sgi-movie", &["movie"]),
];

/// The media type of a file of that name.
pub(super) fn media_type(path: &Path) -> &'static str {
    let Some(extension) = path.extension().and_then(|extension| extension.to_str()) else { return BYTES };
    let known = TYPES.iter().find(|(_, extensions)| extensions.contains(&extension));
    known.map_or(BYTES, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_says_what_it_is() {
        for (name, expected) in [
            ("black.gif", "image/gif"),
            ("run.tar", "application/x-tar"),
            ("index.old.html", "text/html"),
            ("notes.txt", "text/plain"),
            ("binary", BYTES),
            ("core.1234", BYTES),
            ("dir.gif/stdout", BYTES),
            (".txt", BYTES),
        ] {
            assert_eq!(media_type(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn no_name_means_two_things() {
        let mut all: Vec<&str> = TYPES.iter().flat_map(|(_, extensions)| *extensions).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
