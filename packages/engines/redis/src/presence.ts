import type { Link } from './link.ts'

/**
 * Which of some sessions have a connection that the server has no more: it closes one as soon as its process is gone,
 * and keeps it while that is only busy.
 * @param quiet sessions, each followed by its connection: `<id at the server> <milliseconds>`
 * @returns those that are gone, in the same form
 * @see https://redis.io/docs/latest/commands/client-list/
 */
export async function gone(quiet: readonly string[], link: Pick<Link, 'id' | 'command'>): Promise<readonly string[]> {
  if (link.id === '') return []
  const idAt = (at: number) => quiet[at]?.split(' ')[0] ?? ''
  const asked = quiet.flatMap((_, at) => (at % 2 === 1 ? [idAt(at)] : []))
  const answer = String(await link.command('CLIENT', 'LIST', 'ID', ...asked, link.id))
  const standing = new Set([...answer.matchAll(/^id=(\d+)/gm)].map(([, id]) => id))
  // A proxy before several servers, or one that answers for them, does not see everybody; it does not see us, either.
  if (!standing.has(link.id)) return []
  return quiet.filter((_, at) => !standing.has(idAt(at % 2 === 0 ? at + 1 : at)))
}
