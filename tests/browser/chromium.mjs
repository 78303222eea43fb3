// Drives a headless Chromium over its debugging pipe; needs nothing but Node.

import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';

const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--remote-debugging-pipe', '--window-size=1400,900', '--hide-scrollbars',
];

// The browser's program: $CHROMIUM, or the first one of the usual names on PATH; null without one.
export function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
      const file = path.join(folder, name);
      if (existsSync(file)) return file;
    }
  }
  return null;
}

export class Chromium {
  static async start() {
    const program = findChromium();
    if (program === null) throw new Error('no Chromium: install it, or set CHROMIUM');
    const home = await mkdtemp(path.join(tmpdir(), 'jprof-chromium-'));
    const child = spawn(program, [...FLAGS, `--user-data-dir=${home}`, 'about:blank'],
      {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});
    return new Chromium(child, home);
  }

  constructor(child, home) {
    this.child = child;
    this.home = home;
    this.number = 0;
    this.waiting = new Map();
    this.listeners = new Set();
    this.fault = null;
    this.ended = new Promise((resolve) => {
      child.once('exit', (code) => resolve(`Chromium ended with ${code}`));
      child.once('error', (error) => resolve(`Chromium cannot be started: ${error.message}`));
    }).then((text) => {
      this.fault = new Error(text);
      for (const {reject} of this.waiting.values()) reject(this.fault);
      this.waiting.clear();
    });
    // A write to a browser that has ended is told by the end itself.
    child.stdio[3]?.on('error', () => {});
    let parts = [];
    child.stdio[4]?.on('data', (data) => {
      // Messages end with a zero byte.
      for (let zero = data.indexOf(0); zero >= 0; zero = data.indexOf(0)) {
        parts.push(data.subarray(0, zero));
        this.receive(JSON.parse(Buffer.concat(parts).toString()));
        parts = [];
        data = data.subarray(zero + 1);
      }
      parts.push(data);
    });
  }

  receive(message) {
    const call = this.waiting.get(message.id);
    if (call === undefined) {
      for (const listener of this.listeners) listener(message);
      return;
    }
    this.waiting.delete(message.id);
    if (message.error) call.reject(new Error(`${call.method}: ${message.error.message}`));
    else call.resolve(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    if (this.fault !== null) return Promise.reject(this.fault);
    const id = ++this.number;
    this.child.stdio[3].write(`${JSON.stringify({id, method, params, sessionId})}\0`);
    return new Promise((resolve, reject) => this.waiting.set(id, {resolve, reject, method}));
  }

  async newPage() {
    const {targetId} = await this.send('Target.createTarget', {url: 'about:blank'});
    const {sessionId} = await this.send('Target.attachToTarget', {targetId, flatten: true});
    const page = new Page(this, sessionId, targetId);
    await page.send('Page.enable');
    await page.send('Runtime.enable');
    await page.send('Network.enable');
    await page.send('Log.enable');
    return page;
  }

  async stop() {
    await this.send('Browser.close').catch(() => {});
    await this.ended;
    await rm(this.home, {recursive: true, force: true, maxRetries: 5});
  }
}

// What the keys of the tests are called in the protocol.
const KEY_CODES = {Enter: 13, Escape: 27, Backspace: 8, Home: 36, End: 35, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40};

export class Page {
  constructor(browser, session, target) {
    this.browser = browser;
    this.session = session;
    this.target = target;
    // Everything that must stay empty in a page that runs nothing foreign.
    this.dialogs = [];
    this.exceptions = [];
    this.complaints = [];
    this.requests = [];
    browser.listeners.add((message) => {
      if (message.sessionId === session) this.notice(message);
    });
  }

  notice({method, params}) {
    if (method === 'Page.javascriptDialogOpening') {
      this.dialogs.push(params.message);
      this.send('Page.handleJavaScriptDialog', {accept: true});
    } else if (method === 'Runtime.exceptionThrown') {
      this.exceptions.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    } else if (method === 'Log.entryAdded') {
      this.complaints.push(params.entry.text);
    } else if (method === 'Network.requestWillBeSent') {
      this.requests.push(params.request.url);
    }
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  async open(url) {
    let listener;
    const loaded = new Promise((resolve) => {
      listener = (message) => {
        if (message.sessionId === this.session && message.method === 'Page.loadEventFired') resolve();
      };
    });
    this.browser.listeners.add(listener);
    try {
      const {errorText, loaderId} = await this.send('Page.navigate', {url});
      if (errorText) throw new Error(`${url}: ${errorText}`);
      // Another fragment of the same page loads nothing.
      if (loaderId !== undefined) await loaded;
    } finally {
      this.browser.listeners.delete(listener);
    }
  }

  // Runs `body`, a function, in the page with JSON arguments; its result comes back as JSON.
  async run(body, ...args) {
    const {result, exceptionDetails} = await this.send('Runtime.evaluate', {
      expression: `(${body})(...${JSON.stringify(args)})`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  // Waits until `condition`, a function run in the page, is true.
  async until(condition, seconds = 60) {
    const end = Date.now() + seconds * 1000;
    while (!await this.run(condition)) {
      if (Date.now() > end) throw new Error(`not within ${seconds} s: ${condition}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  // Opens a flame graph and waits until it is drawn.
  async openFlameGraph(url) {
    await this.open(url);
    await this.until(() => window.flameGraph !== undefined || document.body.classList.contains('failed'));
    await this.painted();
  }

  // Waits for the next drawn picture.
  painted() {
    return this.run(() => new Promise((resolve) =>
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)))));
  }

  async click(x, y) {
    const at = {x, y, button: 'left', clickCount: 1};
    await this.send('Input.dispatchMouseEvent', {type: 'mouseMoved', x, y});
    await this.send('Input.dispatchMouseEvent', {type: 'mousePressed', ...at});
    await this.send('Input.dispatchMouseEvent', {type: 'mouseReleased', ...at});
    await this.painted();
  }

  async press(key) {
    const text = key.length === 1 ? key : key === 'Enter' ? '\r' : undefined;
    const params = {key, text, windowsVirtualKeyCode: KEY_CODES[key]};
    await this.send('Input.dispatchKeyEvent', {type: 'keyDown', ...params});
    await this.send('Input.dispatchKeyEvent', {type: 'keyUp', ...params});
    await this.painted();
  }

  async type(text) {
    await this.send('Input.insertText', {text});
    await this.painted();
  }

  async screenshot(file) {
    const {data} = await this.send('Page.captureScreenshot', {format: 'png'});
    await writeFile(file, Buffer.from(data, 'base64'));
  }

  async close() {
    await this.browser.send('Target.closeTarget', {targetId: this.target});
  }
}
