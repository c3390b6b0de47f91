// What tests ask of a page that is laid out; an object of functions.
({
  // Elements over the right edge of the window, unless a box around them scrolls or clips.
  overflow: () => {
    const edge = document.documentElement.clientWidth + 1;
    const held = (node) => {
      for (let box = node.parentElement; box && box !== document.body; box = box.parentElement) {
        const clips = getComputedStyle(box).overflowX !== "visible" && box.tagName !== "svg";
        if (clips && box.getBoundingClientRect().right <= edge) return true;
      }
      return false;
    };
    const wide = [...document.body.querySelectorAll("*")].filter((node) => {
      const box = node.getBoundingClientRect();
      return box.width > 1 && box.height > 1 && box.right > edge && !held(node);
    });
    const name = (node) => `${node.tagName}.${node.getAttribute("class")}`;
    const right = (node) => Math.round(node.getBoundingClientRect().right);
    const found = wide.slice(0, 8).map((node) => `${name(node)} ends at ${right(node)} of ${edge - 1}`);
    if (document.documentElement.scrollWidth > edge) found.push("the page scrolls sideways");
    return found;
  },

  // Pairs of elements that are seen on one another, by more than `spare` pixels both ways.
  overlaps: ([query, spare]) => {
    const ALL = { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity };
    const meet = (a, b) => ({
      left: Math.max(a.left, b.left), top: Math.max(a.top, b.top),
      right: Math.min(a.right, b.right), bottom: Math.min(a.bottom, b.bottom),
    });
    const known = new Map([[document.body, ALL]]);
    const window_ = (box) => { // what a box that scrolls lets be seen of what is in it
      if (!box) return ALL;
      if (!known.has(box)) {
        const clips = getComputedStyle(box).overflow !== "visible" && box.tagName !== "svg";
        known.set(box, clips ? meet(window_(box.parentElement), box.getBoundingClientRect()) : window_(box.parentElement));
      }
      return known.get(box);
    };
    const seen = [...document.querySelectorAll(query)].filter((node) => node.checkVisibility())
      .map((node) => ({ node, ...meet(node.getBoundingClientRect(), window_(node.parentElement)) }))
      .filter((box) => box.right - box.left > spare && box.bottom - box.top > spare)
      .sort((a, b) => a.top - b.top);
    const name = ({ node }) => `${node.tagName} "${node.textContent.trim().slice(0, 40)}"`;
    const clash = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > spare
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > spare
      && !a.node.contains(b.node) && !b.node.contains(a.node);
    const found = [];
    seen.forEach((one, at) => {
      for (let next = at + 1; next < seen.length && seen[next].top < one.bottom; next += 1) {
        if (clash(one, seen[next])) found.push(`${name(one)} on ${name(seen[next])}`);
      }
    });
    return found.slice(0, 8);
  },
})
