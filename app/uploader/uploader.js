// A drop zone that sends files one after another, each straight to the server's disk.

const instances = new WeakMap();

const KILO = 1024;
const UNITS = ["bytes", "KB", "MB", "GB"];

export function formatBytes(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= KILO && unit < UNITS.length - 1) {
    value /= KILO;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

/** One file on its way: a line with its name, a bar and a button. */
class Transfer {
  constructor(file, list) {
    this.file = file;
    this.over = false;
    this.row = element("li", "up-file");
    this.row.dataset.testid = "upload-file";
    this.bar = element("progress", "up-bar");
    this.bar.max = 1;
    this.bar.value = 0;
    this.note = element("span", "up-note", formatBytes(file.size));
    this.button = element("button", "up-button");
    this.button.type = "button";
    this.offer("Cancel", () => this.end("Cancelled", false));
    this.row.append(element("span", "up-name", file.name), this.bar, this.note, this.button);
    list.append(this.row);
  }

  offer(words, act) {
    this.button.textContent = words;
    this.button.setAttribute("aria-label", `${words} ${this.file.name}`);
    this.button.onclick = act;
  }

  /** Nothing more will happen; the line stays until it is dismissed. */
  end(message, failed) {
    this.over = true;
    this.bar.remove();
    this.note.textContent = message;
    this.row.classList.add("up-over-and-done");
    this.row.classList.toggle("up-failed", failed);
    if (failed) this.row.setAttribute("role", "alert");
    this.offer("Dismiss", () => this.row.remove());
  }

  /** @returns {Promise<boolean>} whether the file has arrived */
  send(url) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      this.offer("Cancel", () => request.abort());
      request.upload.onprogress = (event) => {
        this.bar.value = event.loaded / event.total;
        this.note.textContent = `${formatBytes(event.loaded)} of ${formatBytes(event.total)}`;
      };
      request.onabort = () => (this.end("Cancelled", false), resolve(false));
      request.onerror = () => (this.end("The connection broke; send it again", true), resolve(false));
      request.onload = () => {
        let answer = {};
        try {
          answer = JSON.parse(request.responseText);
        } catch {
          // An answer that is no JSON comes from something between here and the server.
        }
        if (request.status === 201) {
          this.row.remove();
          resolve(true);
        } else {
          this.end(answer.error ?? `The server answered ${request.status}`, true);
          resolve(false);
        }
      };
      request.open("PUT", url);
      request.setRequestHeader("X-File-Name", encodeURIComponent(this.file.name));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.send(this.file);
    });
  }
}

class Uploader {
  constructor(data, report) {
    Object.assign(this, { data, report, queue: Promise.resolve() });
    this.root = element("div", "up");
    this.root.dataset.testid = "uploader";
    this.input = element("input", "up-input");
    Object.assign(this.input, { type: "file", multiple: true, accept: "video/*,.mkv,.avi,.mts,.ts", id: "up-input" });
    this.zone = element("label", "up-zone");
    this.limit = element("span", "up-limit");
    this.zone.append(element("strong", "up-title", "Drop videos here or choose files"), this.limit, this.input);
    this.list = element("ul", "up-list");
    this.root.append(this.zone, this.list);
    this.input.onchange = () => {
      this.add(this.input.files);
      this.input.value = "";
    };
    this.listen();
  }

  listen() {
    const over = (on) => (event) => {
      event.preventDefault();
      this.zone.classList.toggle("up-over", on);
    };
    this.zone.addEventListener("dragover", over(true));
    this.zone.addEventListener("dragleave", over(false));
    this.zone.addEventListener("drop", (event) => {
      over(false)(event);
      this.add(event.dataTransfer.files);
    });
  }

  update(data, report) {
    Object.assign(this, { data, report });
    this.limit.textContent = `Several at once, up to ${formatBytes(data.limit_bytes)} each. They stay on this machine.`;
  }

  add(files) {
    for (const file of files) {
      const transfer = new Transfer(file, this.list);
      if (file.size > this.data.limit_bytes) {
        transfer.end(`${formatBytes(file.size)}, larger than the limit of ${formatBytes(this.data.limit_bytes)}`, true);
      } else if (!file.size) {
        transfer.end("The file is empty", true);
      } else {
        this.queue = this.queue.then(() => this.deliver(transfer));
      }
    }
  }

  async deliver(transfer) {
    if (transfer.over) return;
    // Only a nudge: the server knows which files have arrived, and nudges may merge.
    if (await transfer.send(this.data.upload_url)) this.report("arrived", Date.now());
  }
}

/** Show the drop zone in `parent`, or update the one that is there; transfers go on undisturbed. */
export function mount(parent, data, report) {
  let uploader = instances.get(parent);
  if (!uploader) {
    uploader = new Uploader(data, report);
    instances.set(parent, uploader);
    parent.append(uploader.root);
  }
  uploader.update(data, report);
}
