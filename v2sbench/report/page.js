"use strict";

// The table: a heading sorts up, then down, then brings the groups back.
(() => {
  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const states = ["none", "ascending", "descending"];
  const key = (row, column) => {
    const text = row.cells[column].dataset.order;
    const value = Number(text);
    return text === "" ? null : Number.isNaN(value) ? text : value;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const state = states[(states.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", state);
      if (state === "none") {
        body.replaceChildren(...original);
        return;
      }
      const sign = state === "ascending" ? 1 : -1;
      const rows = original.filter((row) => !row.classList.contains("group"));
      rows.sort((a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        if (x === null || y === null) return (x === null) - (y === null); // unknown values last, both ways
        return sign * compare(x, y);
      });
      body.replaceChildren(...rows);
    });
  });
})();

// The listening page: one player, so that a change of system goes on at the same place.
(() => {
  const source = document.getElementById("exhibits");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const byId = (id) => document.getElementById(id);
  const [choice, list, canvas, said, why, now] = ["clip", "systems", "mouth", "said", "why", "now"].map(byId);
  const paint = canvas.getContext("2d");
  const player = new Audio();
  const tiles = new Image();
  let clip = null;
  let system = null;

  const make = (name, text, ...classes) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    element.classList.add(...classes);
    return element;
  };

  // Words of the transcript that are not the sentence's, by the longest common subsequence.
  const transcript = (text, heard) => {
    const [a, b] = [text.split(" "), heard.split(" ").filter(Boolean)];
    const best = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        best[i][j] = a[i] === b[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    const words = [];
    for (let i = 0, j = 0; j < b.length; j++) {
      while (i < a.length && a[i] !== b[j] && best[i + 1][j] >= best[i][j + 1] && best[i + 1][j] > 0) i++;
      const right = i < a.length && a[i] === b[j];
      words.push(make("span", b[j], right ? "right" : "wrong"));
      if (right) i++;
    }
    return words;
  };

  const draw = () => {
    if (!clip.frames || !tiles.complete || !tiles.naturalWidth) return;
    const side = tiles.naturalWidth / data.tiles;
    const frame = Math.min(clip.frames - 1, Math.floor(player.currentTime * 25));
    const [x, y] = [(frame % data.tiles) * side, Math.floor(frame / data.tiles) * side];
    paint.drawImage(tiles, x, y, side, side, 0, 0, canvas.width, canvas.height);
    canvas.dataset.frame = String(frame);
  };
  const follow = () => {
    draw();
    const item = list.querySelector("li.playing");
    if (item && player.duration) item.querySelector(".head").style.left = `${(100 * player.currentTime) / player.duration}%`;
    if (!player.paused) requestAnimationFrame(follow);
  };

  const mark = () => {
    for (const item of list.children) {
      const chosen = item.dataset.system === system;
      item.classList.toggle("playing", chosen);
      item.querySelector("button").setAttribute("aria-pressed", String(chosen && !player.paused));
      item.querySelector(".state").textContent = chosen && !player.paused ? "stop" : "play";
    }
  };
  const play = (name, from) => {
    const sample = clip.samples[name];
    if (!sample) return;
    const start = from ?? (player.paused && system === name ? 0 : player.ended ? 0 : player.currentTime);
    if (system === name && !player.paused && from === undefined) {
      player.pause();
      return;
    }
    if (system !== name || !player.src) player.src = sample.audio;
    system = name;
    player.currentTime = Math.min(start, sample.seconds);
    player.play().catch((error) => (now.textContent = `This browser does not play it: ${error.message}`));
    now.textContent = `${clip.id}: ${name}`;
  };

  const show = (index) => {
    player.pause();
    player.removeAttribute("src");
    player.load();
    clip = data.clips[index];
    system = null;
    choice.selectedIndex = index;
    said.textContent = clip.text || clip.id;
    why.textContent = clip.why.join("; ");
    canvas.hidden = !clip.frames;
    tiles.src = clip.tiles;
    list.replaceChildren(
      ...data.systems.filter((name) => clip.samples[name]).map((name, place) => {
        const sample = clip.samples[name];
        const item = make("li");
        item.dataset.system = name;
        const button = make("button");
        button.type = "button";
        button.append(make("span", place < 9 ? `${place + 1}  ${name}` : name), make("span", "play", "state"));
        button.addEventListener("click", () => play(name));
        const mel = make("div", undefined, "mel");
        const picture = make("img");
        picture.src = sample.mel;
        picture.alt = `spectrogram of ${name}`;
        mel.append(picture, make("div", undefined, "head"));
        mel.addEventListener("click", (event) => {
          const box = mel.getBoundingClientRect();
          play(name, ((event.clientX - box.left) / box.width) * sample.seconds);
        });
        item.append(button, mel, make("p", sample.scores));
        if (sample.status) item.append(make("p", `not scored: ${sample.status}`, "wrong"));
        if (sample.heard !== null && clip.text) {
          const line = make("p", sample.heard ? "heard: " : "heard: nothing");
          transcript(clip.text, sample.heard).forEach((word) => line.append(word, " "));
          item.append(line);
        }
        return item;
      }),
    );
    mark();
  };

  data.clips.forEach((item) => choice.append(make("option", `${item.id}  ${item.text}  (${item.why.map((reason) => reason.split(" ")[0]).join(", ")})`)));
  const step = (by) => show((choice.selectedIndex + by + data.clips.length) % data.clips.length);
  choice.addEventListener("change", () => show(choice.selectedIndex));
  byId("before").addEventListener("click", () => step(-1));
  byId("after").addEventListener("click", () => step(1));
  tiles.addEventListener("load", draw);
  player.addEventListener("play", () => { mark(); follow(); });
  ["pause", "ended"].forEach((name) => player.addEventListener(name, () => { mark(); draw(); }));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
    const names = [...list.children].map((item) => item.dataset.system);
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      if (event.target.closest(".scroll")) return;
      step(event.key === "ArrowLeft" ? -1 : 1);
    } else if (/^[1-9]$/.test(event.key) && names[event.key - 1]) {
      if (names[event.key - 1] !== system || player.paused) play(names[event.key - 1]);
    } else if (event.key === " " && !event.target.closest("button, summary, a, .scroll")) {
      play(system ?? names[0]);
    } else {
      return;
    }
    event.preventDefault();
  });
  show(0);
})();
