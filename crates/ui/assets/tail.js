// Follows a file: shows what is written to it as it comes.
"use strict";
(() => {
  const file = document.getElementById("file");
  if (!file || !file.dataset.read) return;
  const whole = document.getElementById("file-text");
  const rest = document.getElementById("file-rest");
  const size = document.getElementById("file-size");
  const empty = document.getElementById("file-empty");
  const follow = document.getElementById("follow");
  const state = document.getElementById("live-state");
  const PIECE = 65536;
  const KEPT = 2000000;
  let next = Number(file.dataset.next);
  follow.parentElement.hidden = false;

  const toEnd = () => { file.scrollTop = file.scrollHeight; };
  const shown = (bytes) => {
    const units = ["B", "KB", "MB", "GB", "TB"];
    let unit = 0;
    while (bytes >= 1024 && unit < units.length - 1) {
      bytes /= 1024;
      unit += 1;
    }
    return `${bytes >= 100 || Number.isInteger(bytes) ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
  };

  const ask = async (query) => {
    const answer = await fetch(file.dataset.read + query, { cache: "no-store", signal: AbortSignal.timeout(20000) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };

  const read = async () => {
    const end = (await ask("")).offset;
    if (end < next) {
      // It was put aside and begun anew.
      whole.append("\n--- the file was begun anew ---\n");
      next = 0;
    }
    if (end - next > KEPT) {
      whole.append(`\n--- ${shown(end - next - PIECE)} were left out ---\n`);
      next = end - PIECE;
    }
    while (next < end) {
      const length = Math.min(PIECE, end - next);
      const { data } = await ask(`&offset=${next}&length=${length}`);
      const lines = data.slice(0, data.lastIndexOf("\n") + 1);
      // Bytes that are no text were replaced on the way and cannot be counted; and a line may be longer than a piece.
      const all = lines.includes("\ufffd") || (lines === "" && length === PIECE);
      const taken = all ? data : lines;
      whole.append(taken);
      rest.textContent = data.slice(taken.length);
      next += all ? length : new TextEncoder().encode(lines).length;
      if (taken === "") break;
    }
    if (whole.textContent.length > KEPT) whole.textContent = whole.textContent.slice(-KEPT / 2);
    if (empty && end > 0) empty.hidden = true;
    size.textContent = shown(end);
  };

  const again = async () => {
    if (follow.checked && !document.hidden) {
      const before = next;
      try {
        await read();
        state.textContent = "Following";
      } catch (error) {
        state.textContent = `The file cannot be read: ${error.message}`.slice(0, 200);
      }
      if (next !== before || rest.textContent) toEnd();
    }
    setTimeout(again, 1000);
  };
  toEnd();
  again();
})();
