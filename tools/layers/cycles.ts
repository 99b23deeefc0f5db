/**
 * The import cycles of a graph: each strongly connected component of two or more files, or of one that imports itself.
 * Recursion is as deep as the longest import chain, which is far below the stack's limit.
 * @see Tarjan, Depth-first search and linear graph algorithms (1972)
 */
export function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const onStack = new Set<string>()
  const cycles: string[][] = []

  const visit = (node: string): void => {
    index.set(node, index.size)
    low.set(node, index.get(node)!)
    stack.push(node)
    onStack.add(node)
    const targets = graph.get(node) ?? []
    for (const target of targets) {
      if (!index.has(target)) visit(target)
      if (onStack.has(target)) low.set(node, Math.min(low.get(node)!, low.get(target)!))
    }
    if (low.get(node) !== index.get(node)) return
    const component = stack.splice(stack.indexOf(node))
    for (const member of component) onStack.delete(member)
    if (component.length > 1 || targets.includes(node)) cycles.push(component)
  }
  for (const node of graph.keys()) if (!index.has(node)) visit(node)
  return cycles
}
