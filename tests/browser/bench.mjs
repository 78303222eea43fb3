// What the page of a million nodes costs: made, opened, redrawn, searched. Prints a table in
// Markdown with the goals; judges nothing.

import {Chromium} from './chromium.mjs';
import {Folder} from './programs.mjs';

const RUNS = 5;
const MIB = 1024 * 1024;

const folder = await Folder.make();
const chromium = await Chromium.start();
try {
  const rows = [];
  const made = [];
  for (let i = 0; i < RUNS; i++) made.push(await folder.synthetic('big.html'));
  const row = (name, values, digits, unit, goal) => {
    const sorted = [...values].sort((a, b) => a - b);
    const text = (value) => value.toFixed(digits);
    rows.push(`| ${name} | ${text(sorted[sorted.length >> 1])} ${unit} | ${text(sorted[0])} to ${text(sorted.at(-1))} | ${goal} |`);
  };
  row('made', made.map(({seconds}) => seconds), 2, 's', '4 s');
  row('memory to make it', made.map((run) => run.peak_bytes / MIB), 0, 'MiB', '286 MiB (300 MB)');
  row('page', made.map((run) => run.page_bytes / 1e6), 2, 'MB', '4 MB');

  const opened = [];
  const measured = {draw: [], zoomed: [], search: [], lit: [], methods: [], around: []};
  const heaps = [];
  for (let i = 0; i < RUNS; i++) {
    const page = await chromium.newPage();
    await page.openFlameGraph(folder.address('big.html'));
    opened.push(await page.run(() => performance.getEntriesByName('flame-graph-drawn')[0].startTime / 1000));
    const times = await page.run(() => {
      const {app, chart, profile} = window.flameGraph;
      // Reading a pixel back waits for the picture.
      const timed = (act) => {
        const start = performance.now();
        act();
        chart.context.getImageData(0, 0, 1, 1);
        return performance.now() - start;
      };
      const middle = profile.levelNodes[(profile.levelStart[20] + profile.levelStart[21]) >> 1];
      const times = {};
      times.draw = timed(() => chart.draw());
      times.zoomed = timed(() => { chart.zoomTo(profile.parent[profile.parent[middle]]); chart.draw(); });
      app.reset();
      times.search = timed(() => app.search('Type12'));
      times.lit = timed(() => chart.draw());
      app.reset();
      times.methods = timed(() => app.methods.show(0));
      times.around = timed(() => app.methods.look(app.methods.methods[100].id, false));
      return times;
    });
    for (const [name, time] of Object.entries(times)) measured[name].push(time);
    const {usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0} = await page.send('Runtime.getHeapUsage');
    heaps.push((usedSize + embedderHeapUsedSize + backingStorageSize) / MIB);
    await page.close();
  }
  row('on screen after opening', opened, 2, 's', '4 s');
  row('redraw of the whole', measured.draw, 1, 'ms', '50 ms');
  row('zoom with redraw', measured.zoomed, 1, 'ms', '50 ms');
  row('search', measured.search, 1, 'ms', '50 ms');
  row('redraw with hits lit', measured.lit, 1, 'ms', '50 ms');
  row('table of methods', measured.methods, 1, 'ms', '–');
  row('callers and callees of a method', measured.around, 1, 'ms', '–');
  row('memory of the page', heaps, 0, 'MiB', '–');
  console.log(`${made[0].nodes.toLocaleString('en')} nodes, ${RUNS} runs\n`);
  console.log('| what | median | range | goal |\n| --- | --- | --- | --- |');
  console.log(rows.join('\n'));
} finally {
  await chromium.stop();
  await folder.remove();
}
