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

  // Pairs of elements that lie on one another, by more than `spare` pixels both ways.
  overlaps: ([query, spare]) => {
    const area = (node) => node.getBoundingClientRect();
    const seen = (node) => area(node).width > 0 && area(node).height > 0;
    const nodes = [...document.querySelectorAll(query)].filter(seen);
    const name = (node) => `${node.tagName} "${node.textContent.trim().slice(0, 40)}"`;
    const clash = (one, two) => {
      const [a, b] = [area(one), area(two)];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      return across > spare && down > spare && !one.contains(two) && !two.contains(one);
    };
    return nodes.flatMap((one, at) => nodes.slice(at + 1)
      .filter((two) => clash(one, two)).map((two) => `${name(one)} on ${name(two)}`)).slice(0, 8);
  },
})
