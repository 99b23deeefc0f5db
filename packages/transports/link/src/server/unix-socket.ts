import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { PosthasteError } from '@posthaste/contracts'

/**
 * Makes room for a Unix socket: a file that a server left which is gone is removed.
 * @throws CONFLICT when a server listens there, or the file is something else
 */
export async function clearSocketFile(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isSocket()) {
    const remedy = 'Choose another path, or remove the file.'
    throw new PosthasteError('CONFLICT', `${path} exists and is no socket`, { remedy })
  }
  if (await answers(path)) {
    const remedy = 'Stop the other server, or choose another path.'
    throw new PosthasteError('CONFLICT', `a server listens on ${path} already`, { remedy })
  }
  unlinkSync(path)
}

/** Lets nobody but those that the mode says connect. */
export function restrictSocketFile(path: string, mode: number): void {
  chmodSync(path, mode)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // Only a refusal says that nobody is there: what may not be reached is not ours to remove.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}
