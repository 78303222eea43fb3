// A list that makes elements only for the rows in view.

const LIST_ROW = 24;

class List {
  // `fill(row, item)` writes an item into a row's cells; `choose(item)` is told of a choice.
  constructor(element, cells, fill, choose) {
    this.element = element;
    this.cells = cells;
    this.fill = fill;
    this.choose = choose;
    this.items = [];
    this.current = -1;
    this.rows = [];
    this.sheet = document.createElement('div');
    this.sheet.className = 'list-sheet';
    element.append(this.sheet);
    element.addEventListener('scroll', () => this.draw());
    element.addEventListener('keydown', (event) => this.key(event));
    this.sheet.addEventListener('click', (event) => {
      const row = event.target.closest('.list-row');
      if (row) this.go(Number(row.dataset.index));
    });
    new ResizeObserver(() => this.draw()).observe(element);
  }

  show(items, current = -1) {
    this.items = items;
    this.current = current;
    this.sheet.style.height = `${items.length * LIST_ROW}px`;
    this.draw();
  }

  draw() {
    const first = Math.floor(this.element.scrollTop / LIST_ROW);
    const count = Math.min(this.items.length - first, Math.ceil(this.element.clientHeight / LIST_ROW) + 1);
    while (this.rows.length < count) this.rows.push(this.row());
    this.rows.forEach((row, i) => {
      row.hidden = i >= count;
      if (row.hidden) return;
      const index = first + i;
      row.style.top = `${index * LIST_ROW}px`;
      row.dataset.index = index;
      row.setAttribute('aria-selected', String(index === this.current));
      this.fill(row, this.items[index]);
    });
  }

  row() {
    const row = document.createElement('div');
    row.className = 'list-row';
    row.setAttribute('role', 'option');
    for (const name of this.cells) {
      const cell = document.createElement('span');
      cell.className = name;
      row.append(cell);
    }
    this.sheet.append(row);
    return row;
  }

  go(index) {
    if (index < 0 || index >= this.items.length) return;
    this.current = index;
    this.reveal();
    this.draw();
    this.choose(this.items[index]);
  }

  reveal() {
    const {element} = this;
    const top = this.current * LIST_ROW;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + LIST_ROW > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + LIST_ROW - element.clientHeight;
    }
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / LIST_ROW) - 1);
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity};
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.go(Math.max(0, Math.min(this.items.length - 1, this.current + step)));
  }
}
