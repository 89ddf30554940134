// What a reader of the page does: search, colour, choose, zoom. The part of the
// address behind # does the same: #node=NAME, #link=INDEX, #colour=as.
'use strict';
(() => {
  const picture = document.getElementById('picture');
  const about = document.getElementById('about');
  const hint = document.getElementById('hint');
  const search = document.getElementById('search');
  const colour = document.getElementById('colour');
  const svg = picture.querySelector('svg');
  const all = svg.querySelector('#all');
  const nodes = new Map(), links = new Map();
  svg.querySelectorAll('[data-node]').forEach(e => nodes.set(e.dataset.node, e));
  svg.querySelectorAll('[data-link]').forEach(e => links.set(Number(e.dataset.link), e));

  const bundles = svg.querySelector('#bundles');
  const clear = () => svg.querySelectorAll('.dim, .found, .chosen').forEach(e => e.classList.remove('dim', 'found', 'chosen'));

  // show leaves what is named as it is, and dims the rest.
  function show(names, indexes) {
    clear();
    bundles.classList.add('dim');
    nodes.forEach((e, name) => e.classList.toggle('dim', !names.has(name)));
    links.forEach((e, i) => { e.classList.toggle('dim', !indexes.has(i)); e.classList.toggle('chosen', indexes.has(i)); });
  }

  function chooseNode(name) {
    const names = new Set([name]), indexes = new Set(), texts = [];
    topology.links.forEach((l, i) => {
      if (l.a === name || l.b === name) { names.add(l.a).add(l.b); indexes.add(i); texts.push(l.text.split('\n\n')[0]); }
    });
    show(names, indexes);
    nodes.get(name).classList.add('found');
    about.textContent = [topology.nodes[name], ...texts].join('\n\n');
    hint.textContent = texts.length + (texts.length === 1 ? ' peering' : ' peerings');
  }

  function chooseLink(i) {
    const l = topology.links[i];
    show(new Set([l.a, l.b]), new Set([i]));
    about.textContent = l.text;
    hint.textContent = '';
  }

  // find takes a name, a part of one, or a line of what is known of a node.
  function find(text) {
    text = text.trim().toLowerCase();
    if (text === '') { clear(); hint.textContent = ''; return; }
    const names = Object.keys(topology.nodes);
    const found = names.filter(n => n.toLowerCase() === text);
    if (!found.length) found.push(...names.filter(n => topology.nodes[n].toLowerCase().includes(text)));
    if (found.length === 1) { chooseNode(found[0]); return; }
    show(new Set(found), new Set());
    found.forEach(n => nodes.get(n).classList.add('found'));
    hint.textContent = found.length + ' nodes';
  }

  const palette = ['#2f6db3', '#c0562b', '#2f7f6f', '#5b4b8a', '#8a7a2b', '#b3446c', '#4a7a2f', '#3a8fa3', '#a05a3a', '#6a6f7a'];
  function colourBy(key) {
    const values = [...new Set([...nodes.values()].map(e => e.dataset[key] || ''))].sort();
    nodes.forEach(e => {
      const circle = e.querySelector('circle');
      circle.style.fill = key === 'role' ? '' : palette[values.indexOf(e.dataset[key] || '') % palette.length];
    });
    svg.querySelectorAll('.key').forEach(e => { e.style.display = key === 'role' ? '' : 'none'; });
  }

  svg.addEventListener('click', event => {
    const node = event.target.closest('[data-node]'), link = event.target.closest('[data-link]');
    if (node) chooseNode(node.dataset.node);
    else if (link) chooseLink(Number(link.dataset.link));
    else { clear(); hint.textContent = ''; }
  });
  search.addEventListener('input', () => find(search.value));
  colour.addEventListener('change', () => colourBy(colour.value));
  if (nodes.size <= 500) nodes.forEach((_, name) => { const o = document.createElement('option'); o.value = name; document.getElementById('names').append(o); });

  if (window.d3) {
    picture.classList.add('zooms');
    d3.select(svg).call(d3.zoom().scaleExtent([0.2, 40]).on('zoom', e => all.setAttribute('transform', e.transform)));
  }

  function follow() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (wanted.has('colour')) { colour.value = wanted.get('colour'); colourBy(colour.value); }
    if (nodes.has(wanted.get('node'))) chooseNode(wanted.get('node'));
    else if (links.has(Number(wanted.get('link') ?? NaN))) chooseLink(Number(wanted.get('link')));
  }
  window.addEventListener('hashchange', follow);
  follow();
  document.body.dataset.ready = window.d3 ? 'zooms' : 'plain';
})();
