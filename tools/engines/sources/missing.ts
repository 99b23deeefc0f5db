/** A server that is neither installed nor can be: what to do about it. */
export function missing(name: string, ways: readonly string[]): Error {
  const all = [...ways, `start it with Docker: docker compose up --detach ${name} (see compose.yaml)`]
  return new Error(
    `${name} is not installed, and cannot be installed here. One of these helps:\n  - ${all.join('\n  - ')}`,
  )
}
