// The built programs that the tests run. JPROF_PROGRAMS names the folder that holds `jprof` and
// `examples/`; run.sh builds them and sets it.

import {execFile, spawn} from 'node:child_process';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {promisify} from 'node:util';
import {pathToFileURL} from 'node:url';

const programs = process.env.JPROF_PROGRAMS;

function program(name) {
  if (!programs) throw new Error('set JPROF_PROGRAMS, or start the tests with tests/browser/run.sh');
  return path.join(programs, name);
}

// Kinds of frames, as flame-graph numbers them.
export const INTERPRETED = 0;
export const C1 = 1;
export const JIT = 2;
export const INLINED = 3;
export const NATIVE = 4;
export const VM = 7;
export const CLASS = 8;

export class Folder {
  static async make() {
    return new Folder(await mkdtemp(path.join(tmpdir(), 'jprof-browser-')));
  }

  constructor(folder) {
    this.path = folder;
  }

  file(name) {
    return path.join(this.path, name);
  }

  address(name) {
    return pathToFileURL(this.file(name)).href;
  }

  remove() {
    return rm(this.path, {recursive: true, force: true});
  }

  // A page with these stacks: [[name, kind] …, value].
  async flameGraph(name, {title = 'test', unit = 'samples', notes = [], stacks}) {
    const child = execFile(program('examples/from_json'), [this.file(name)]);
    const ended = new Promise((resolve, reject) => {
      child.once('exit', (code) => code === 0 ? resolve() : reject(new Error(`from_json ended with ${code}`)));
    });
    child.stdin.end(JSON.stringify({title, unit, notes, stacks}));
    await ended;
    return this.address(name);
  }

  // The page of 100,000 stacks, and what is in it.
  async synthetic(name) {
    const {stdout} = await promisify(execFile)(program('examples/synthetic'), [this.file(name)]);
    return JSON.parse(stdout);
  }

  async hostileRecording(name) {
    await promisify(execFile)(program('examples/hostile_recording'), [this.file(name)]);
    return readFile(this.file(name));
  }
}

// `jprof serve` on a free port.
export class Receiver {
  static async start(folder) {
    const child = spawn(program('jprof'), ['serve', '--listen', '127.0.0.1:0', '--dir', folder], {stdio: ['ignore', 'pipe', 'inherit']});
    const base = await new Promise((resolve, reject) => {
      let output = '';
      child.stdout.on('data', (data) => {
        output += data;
        const address = /listening on (http:\S+)\//.exec(output);
        if (address) resolve(address[1]);
      });
      child.once('exit', (code) => reject(new Error(`jprof serve ended with ${code}`)));
    });
    return new Receiver(child, base);
  }

  constructor(child, base) {
    this.child = child;
    this.base = base;
  }

  async upload(event, jfr) {
    const form = new FormData();
    form.append('event', new Blob([JSON.stringify(event)]), 'event.json');
    form.append('main', new Blob([jfr]), 'main.jfr');
    const answer = await fetch(`${this.base}/profiling/v1/input`, {method: 'POST', body: form});
    return answer.status;
  }

  stop() {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill();
    return ended;
  }
}
