// Reads lines, each a JSON list of LogQL queries, and answers each with a line: a JSON list of trees.
// A tree is [name, text, children]; "⚠" is what is no LogQL.
const { parser } = require("@grafana/lezer-logql");

const tree = (node, query) => {
  const children = [];
  for (let child = node.firstChild; child; child = child.nextSibling) children.push(tree(child, query));
  return [node.name, query.slice(node.from, node.to), children];
};

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const trees = JSON.parse(line).map((query) => tree(parser.parse(query).topNode, query));
  process.stdout.write(JSON.stringify(trees) + "\n");
});
