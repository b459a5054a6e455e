// Loaded into the real gateway by NODE_OPTIONS: does to it what its own bugs would, when a file asks for it.
const fs = require("node:fs");
const path = require("node:path");
const { isMainThread } = require("node:worker_threads");

const folder = process.env.GATEWAY_TROUBLE;

function take(name) {
  try {
    const text = fs.readFileSync(path.join(folder, name), "utf8");
    fs.unlinkSync(path.join(folder, name)); // for one process only
    return text;
  } catch {
    return null;
  }
}

function burn(seconds) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end);
}

if (folder && isMainThread && process.argv.includes("gateway") && process.argv.includes("run")) {
  const slow = take("slow-start");
  if (slow !== null) burn(Number(slow));
  setInterval(() => {
    if (take("block-loop") !== null) while (true); // it accepts connections, computes, and answers nobody
  }, 100).unref();
  setInterval(() => {
    if (take("fill-heap") === null) return;
    const kept = [];
    // 128 MB a time: a heap that fills slowly keeps the collector so busy that the gateway hangs first
    setInterval(() => kept.push(new Array(1 << 24).fill(kept.length)), 5);
  }, 200).unref();
}
