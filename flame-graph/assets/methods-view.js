// The table of methods, and the callers and callees of one of them.

const COLUMNS = [
  {key: 'self', title: 'Self', order: (a, b) => b.self - a.self || b.total - a.total},
  {key: 'total', title: 'Total', order: (a, b) => b.total - a.total || b.self - a.self},
  {key: 'name', title: 'Method', order: (a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0},
];

class MethodsView {
  // `onMethod(name id)` is told which method is looked at.
  constructor(profile, onMethod) {
    this.profile = profile;
    this.onMethod = onMethod;
    this.top = -1;
    this.column = COLUMNS[0];
    this.matches = null;
    this.method = -1;
    this.table = new List(element('method-list'), ['number', 'share', 'number', 'share', 'name'],
      (row, item) => this.fillMethod(row, item), (item) => this.look(item.id, true));
    this.callers = this.neighbourList('caller-list');
    this.callees = this.neighbourList('callee-list');
    this.heads();
  }

  neighbourList(id) {
    const list = new List(element(id), ['number', 'share', 'name'], (row, [name, weight]) => {
      const texts = [
        quantity(weight, this.profile.unit),
        percent(weight, this.methodTotal),
        visible(this.profile.names[name]),
      ];
      texts.forEach((text, i) => { row.children[i].textContent = text; });
      row.title = texts[2];
    }, () => {});
    // One click or arrow chooses, a double click or Enter goes there: walking the list must not
    // exchange it.
    const go = () => {
      const item = list.items[list.current];
      if (item && item[0] !== this.profile.nameId(ROOT)) this.look(item[0], true);
    };
    list.element.addEventListener('dblclick', go);
    list.element.addEventListener('keydown', (event) => { if (event.key === 'Enter') go(); });
    return list;
  }

  heads() {
    const head = element('method-head');
    for (const column of COLUMNS) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = column.key;
      button.textContent = column.title;
      button.addEventListener('click', () => {
        this.column = column;
        this.list();
      });
      column.button = button;
      head.append(button);
    }
  }

  // Shows the methods below a node.
  show(top) {
    if (top !== this.top) {
      this.top = top;
      const {self, total} = methodTotals(this.profile, top);
      const root = this.profile.nameId(ROOT);
      this.methods = this.profile.names
        .map((name, id) => ({id, name, self: self[id], total: total[id]}))
        .filter((method) => method.total > 0 && method.id !== root);
    }
    this.list();
  }

  // Keeps the methods that a search finds; null shows all.
  filter(matches) {
    this.matches = matches;
    if (this.top >= 0) this.list();
  }

  list() {
    for (const column of COLUMNS) column.button.setAttribute('aria-pressed', String(column === this.column));
    const shown = this.matches === null ? this.methods.slice() : this.methods.filter((method) => this.matches(method.name));
    shown.sort(this.column.order);
    if (!shown.some((method) => method.id === this.method)) this.look(shown[0]?.id ?? -1, false);
    this.table.show(shown, shown.findIndex((method) => method.id === this.method));
  }

  fillMethod(row, {name, self, total}) {
    const {profile} = this;
    const whole = profile.total[this.top];
    const texts = [
      quantity(self, profile.unit), percent(self, whole),
      quantity(total, profile.unit), percent(total, whole), visible(name),
    ];
    texts.forEach((text, i) => { row.children[i].textContent = text; });
    row.title = texts[4];
  }

  // Shows the callers and callees of a method.
  look(method, chosen) {
    this.method = method;
    element('around').hidden = method < 0;
    if (method < 0) return;
    const {profile} = this;
    const whole = methodTotals(profile, ROOT);
    this.methodTotal = whole.total[method];
    element('method-name').textContent = visible(profile.names[method]);
    element('method-facts').textContent =
      `self ${quantity(whole.self[method], profile.unit)} (${percent(whole.self[method], profile.total[ROOT])}), ` +
      `total ${quantity(this.methodTotal, profile.unit)} (${percent(this.methodTotal, profile.total[ROOT])}) of the whole profile`;
    const {callers, callees} = neighbours(profile, method);
    this.callers.show(callers);
    this.callees.show(callees);
    if (chosen) {
      this.table.current = this.table.items.findIndex((item) => item.id === method);
      this.table.draw();
      this.onMethod(method);
    }
  }
}
