/* A headless Chromium, driven by its DevTools protocol: one browser, one tab. */
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const CDP = require("chrome-remote-interface");

const KEYS = {
  Tab: [9], Enter: [13, "\r"], ArrowRight: [39], ArrowDown: [40], " ": [32, " "],
};

class Browser {
  /* Starts it, and waits until it says where it listens. */
  static async start(program) {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), "site-browser-"));
    // No address is known but for those on the disk: a request to any host fails, and is seen.
    const child = spawn(program, ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
      "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--mute-audio",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0",
      `--user-data-dir=${home}`, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => { child.kill("SIGKILL"); process.exit(1); });
    const port = await new Promise((resolve, reject) => {
      let said = "";
      child.stderr.on("data", (data) => {
        said += data;
        const found = /DevTools listening on ws:\/\/[^:]+:(\d+)/.exec(said);
        if (found) resolve(Number(found[1]));
      });
      child.on("exit", () => reject(new Error(`${program} ended at once: ${said.slice(-300)}`)));
    });
    const browser = new Browser();
    Object.assign(browser, { child, home, events: [], client: await CDP({ port }) });
    await browser.listen();
    return browser;
  }

  /* Collects what the console and the network say, from now on. */
  async listen() {
    const { Page, Runtime, Log, Network, DOM, Emulation } = this.client;
    // The page has the focus from its beginning, whatever the window system does meanwhile.
    await Emulation.setFocusEmulationEnabled({ enabled: true });
    await Promise.all([Page.enable(), Runtime.enable(), Log.enable(), Network.enable(), DOM.enable()]);
    Runtime.exceptionThrown(({ exceptionDetails }) => this.events.push(
      ["console", exceptionDetails.exception?.description ?? exceptionDetails.text]));
    Runtime.consoleAPICalled(({ type, args }) => {
      if (["error", "warning", "assert"].includes(type)) this.events.push(["console", args.map((each) => each.value).join(" ")]);
    });
    Log.entryAdded(({ entry }) => {
      if (["error", "warning"].includes(entry.level)) this.events.push(["console", entry.text]);
    });
    Network.requestWillBeSent(({ request }) => {
      if (!/^(file|data|about|blob):/.test(request.url)) this.events.push(["network", request.url]);
    });
    Network.loadingFailed(({ errorText }) => this.events.push(["console", `a request failed: ${errorText}`]));
  }

  async open(url) {
    const loaded = this.client.Page.loadEventFired();
    const { errorText } = await this.client.Page.navigate({ url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await loaded;
  }

  async size(width, height = 900) {
    await this.client.Emulation.setDeviceMetricsOverride({ width, height, deviceScaleFactor: 1, mobile: false });
  }

  async media(scheme, media = "screen") {
    await this.client.Emulation.setEmulatedMedia({ media, features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  async scripts(allowed) {
    await this.client.Emulation.setScriptExecutionDisabled({ value: !allowed });
  }

  /* Runs a function in the page and returns its value. */
  async run(what, ...values) {
    const expression = typeof what === "string" ? what : `(${what})(...${JSON.stringify(values)})`;
    const { result, exceptionDetails } = await this.client.Runtime.evaluate(
      { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async press(key) {
    const [windowsVirtualKeyCode, text] = KEYS[key];
    const event = { key, code: key === " " ? "Space" : key, windowsVirtualKeyCode, text };
    await this.client.Input.dispatchKeyEvent({ type: text ? "keyDown" : "rawKeyDown", ...event });
    await this.client.Input.dispatchKeyEvent({ type: "keyUp", ...event, text: undefined });
  }

  async type(text) {
    await this.client.Input.insertText({ text });
  }

  async print(file) {
    const { data } = await this.client.Page.printToPDF({ paperWidth: 8.27, paperHeight: 11.69 });
    fs.writeFileSync(file, Buffer.from(data, "base64"));
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.on("exit", resolve));
    await this.client.Browser.close().catch(() => this.child.kill("SIGKILL"));
    await ended;
    fs.rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

module.exports = { Browser };
