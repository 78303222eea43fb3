// The receiver's pages in Chromium, and who is kept out of them.

import assert from 'node:assert/strict';
import {createServer, request} from 'node:http';
import {after, before, test} from 'node:test';

import {Chromium} from './chromium.mjs';
import {Folder, Receiver} from './programs.mjs';

let chromium;
let folder;
let receiver;

const HOSTILE = '</script><script>window.ran = 1; alert(1)</script><img src=x onerror="alert(2)">\u202eabc';
const TAGS = ['service', 'host', 'env', 'version'].map((tag) => `${tag}:${HOSTILE}`).join(',');

before(async () => {
  folder = await Folder.make();
  chromium = await Chromium.start();
  receiver = await Receiver.start(folder.file('uploads'));
  const jfr = await folder.hostileRecording('hostile.jfr');
  const event = {start: '2025-10-09T08:53:20Z', end: '2025-10-09T08:54:20Z', family: 'java', tags_profiler: TAGS};
  assert.equal(await receiver.upload(event, jfr), 200);
  assert.equal(await receiver.upload({...event, start: HOSTILE}, `garbage ${HOSTILE}`), 200);
});

after(async () => {
  await receiver?.stop();
  await chromium?.stop();
  await folder?.remove();
});

async function withPage(body) {
  const page = await chromium.newPage();
  try {
    await body(page);
  } finally {
    await page.close();
  }
}

function assertQuiet(page) {
  assert.deepEqual(page.dialogs, []);
  assert.deepEqual(page.exceptions, []);
  // The browser asks for an icon by itself; a page that is refused or wrong is an entry of its own.
  const complaints = page.complaints.filter((text) => !/favicon|404|422/.test(text));
  assert.deepEqual(complaints, []);
  assert.deepEqual(page.requests.filter((url) => !url.startsWith(receiver.base)), []);
}

const foreign = (page) => page.run(() => [
  window.ran ?? null,
  document.querySelectorAll('img, svg, iframe, [onerror], [onload], [onmouseover]').length,
  [...document.scripts].filter((script) => script.type !== 'text/plain' && !script.src).length,
]);

test('the list and each page behind it show hostile names as text', async () => {
  await withPage(async (page) => {
    await page.open(`${receiver.base}/`);
    assert.deepEqual(await foreign(page), [null, 0, 0]);
    const text = await page.run(() => document.body.textContent);
    assert.ok(text.includes('</script><script>window.ran = 1; alert(1)</script>'));
    assert.ok(text.includes('\\u202eabc') && !text.includes('\u202e'));
    const links = await page.run(() => [...document.querySelectorAll('td a')].map((link) => link.href));
    assert.ok(links.length >= 6, links.join(' '));
    for (const link of links.filter((link) => !link.endsWith('.jfr'))) {
      await page.open(link);
      await page.painted();
      assert.deepEqual(await foreign(page), [null, 0, 0], link);
    }
    assertQuiet(page);
  });
});

test('the flame graph of hostile threads, classes and methods shows each and runs none', async () => {
  await withPage(async (page) => {
    await page.open(`${receiver.base}/`);
    const link = await page.run(() => [...document.querySelectorAll('td a')].map((a) => a.href).filter((href) => href.endsWith('/flame')).at(-1));
    await page.openFlameGraph(`${link}?threads=1`);
    const names = await page.run(() => {
      const {app, chart, profile} = window.flameGraph;
      for (let node = 0; node < profile.size; node++) {
        chart.zoomTo(node);
        app.changed(true);
      }
      return {total: profile.total[0], names: profile.names.filter((name) => name.includes('script')).length};
    });
    assert.equal(names.total, 28);
    assert.ok(names.names >= 2);
    await page.press('t');
    assert.deepEqual(await foreign(page), [null, 0, 0]);
    assertQuiet(page);
  });
});

test('the flame graph is the same code as in a file', async () => {
  const script = await (await fetch(`${receiver.base}/assets/flame-graph.js`)).text();
  await folder.flameGraph('file.html', {stacks: []});
  const {readFile} = await import('node:fs/promises');
  assert.ok((await readFile(folder.file('file.html'), 'utf8')).includes(`<script>${script}</script>`));
});

test('the policy stops scripts and styles that got into a page all the same', async () => {
  await withPage(async (page) => {
    await page.open(`${receiver.base}/`);
    const stopped = await page.run(() => new Promise((resolve) => {
      const seen = [];
      document.addEventListener('securitypolicyviolation', (event) => {
        seen.push(event.effectiveDirective);
        if (seen.length === 3) resolve([seen.sort(), window.ran ?? null]);
      });
      const script = document.createElement('script');
      script.textContent = 'window.ran = 1';
      const image = document.createElement('img');
      image.src = '/x.png';
      const style = document.createElement('style');
      style.textContent = 'body { color: red }';
      document.body.append(script, image, style);
    }));
    assert.deepEqual(stopped, [['img-src', 'script-src-elem', 'style-src-elem'], null]);
  });
});

// A request with headers that fetch does not let through.
function raw(path, {method = 'GET', headers = {}} = {}) {
  return new Promise((resolve, reject) => {
    request(`${receiver.base}${path}`, {method, headers}, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode));
    }).once('error', reject).end();
  });
}

test('another host name or origin is refused', async () => {
  assert.equal(await raw('/'), 200);
  assert.equal(await raw('/', {headers: {Host: 'evil.example'}}), 403);
  assert.equal(await raw('/', {headers: {Origin: 'http://evil.example'}}), 403);
  assert.equal(await raw('/profiling/v1/input', {method: 'POST', headers: {Origin: 'http://evil.example'}}), 403);
});

test('a foreign page in the browser can neither read nor post', async () => {
  const evil = createServer((_, answer) => answer.writeHead(200, {'Content-Type': 'text/html'}).end('<title>evil</title>'));
  await new Promise((resolve) => evil.listen(0, '127.0.0.1', resolve));
  try {
    await withPage(async (page) => {
      await page.open(`http://127.0.0.1:${evil.address().port}/`);
      const outcome = await page.run(async (base) => {
        const read = await fetch(`${base}/`).then(() => 'read', () => 'refused');
        const form = new FormData();
        form.append('event', new Blob(['{}']), 'event.json');
        await fetch(`${base}/profiling/v1/input`, {method: 'POST', body: form, mode: 'no-cors'}).catch(() => {});
        const framed = await new Promise((resolve) => {
          const frame = document.createElement('iframe');
          frame.onload = () => resolve(frame.contentDocument === null ? 'closed' : 'open');
          frame.src = `${base}/`;
          document.body.append(frame);
        });
        return [read, framed];
      }, receiver.base);
      assert.deepEqual(outcome, ['refused', 'closed']);
    });
    const list = await (await fetch(`${receiver.base}/`)).text();
    assert.ok(list.includes('2 kept'), 'the foreign post is not kept');
  } finally {
    evil.close();
  }
});
