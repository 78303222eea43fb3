// Self and total of each method, its callers and callees.

// Over the subtree of `top`. A method's total counts each sample once, however often the
// method stands in its stack.
function methodTotals(profile, top) {
  const {self, total, depth, last, names} = profile;
  const selfOf = new Float64Array(names.length);
  const totalOf = new Float64Array(names.length);
  const open = new Uint32Array(names.length);
  const path = new Uint32Array(profile.deepest + 1);
  let level = depth[top];
  for (let i = top; i <= last[top]; i++) {
    while (level > depth[i]) open[path[--level]]--;
    const name = profile.nameId(i);
    if (open[name]++ === 0) totalOf[name] += total[i];
    selfOf[name] += self[i];
    path[level++] = name;
  }
  return {self: selfOf, total: totalOf};
}

// Who calls the method, and what it calls, as maps from name to weight, over the whole profile.
// A caller counts at the outermost frame of a recursion and a callee at the innermost, so that
// the callers' sum is the method's total, and so is the callees' plus the method's own.
function neighbours(profile, method) {
  const {total, depth, parent, size} = profile;
  const callers = new Map();
  const callees = new Map();
  const grow = (map, name, weight) => map.set(name, (map.get(name) ?? 0) + weight);
  const path = new Uint32Array(profile.deepest + 1);
  const openMethods = [];
  for (let i = 0; i < size; i++) {
    path[depth[i]] = i;
    while (openMethods.length && depth[openMethods.at(-1)] >= depth[i]) openMethods.pop();
    const around = openMethods.at(-1);
    const name = profile.nameId(i);
    if (around !== undefined && parent[i] === around) grow(callees, name, total[i]);
    if (name !== method) continue;
    if (around === undefined) {
      if (i !== ROOT) grow(callers, profile.nameId(parent[i]), total[i]);
    } else {
      const branch = path[depth[around] + 1];
      grow(callees, profile.nameId(branch), -total[i]);
    }
    openMethods.push(i);
  }
  const heaviest = (map) => [...map].filter(([, weight]) => weight > 0)
    .sort((a, b) => b[1] - a[1]);
  return {callers: heaviest(callers), callees: heaviest(callees)};
}
