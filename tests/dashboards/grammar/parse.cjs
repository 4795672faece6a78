// Reads a JSON list of LogQL queries, writes for each its tree: [name, text, children]. "⚠" is what is no LogQL.
const { parser } = require("@grafana/lezer-logql");

const tree = (node, query) => {
  const children = [];
  for (let child = node.firstChild; child; child = child.nextSibling) children.push(tree(child, query));
  return [node.name, query.slice(node.from, node.to), children];
};

const queries = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(queries.map((query) => tree(parser.parse(query).topNode, query))));
