import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PosthasteError } from '@posthaste/contracts'
import { releaseOwnership } from './storage/owner.ts'
import { Store } from './storage/store.ts'

/** Where the copy stands while it is not whole; a directory with this in it holds none. */
const incomplete = 'incomplete'
/** As the store names it. */
const dataFile = 'data.mdb'

/**
 * Copies the present state of a store into an empty or new directory, owned by nobody. Writers go on meanwhile: the copy
 * is that of one transaction. It gets its name when all of it is on disk.
 */
export async function takeSnapshot(store: Store, dir: string): Promise<void> {
  const partial = await reserved(dir)
  try {
    await store.copyTo(partial)
    const copy = new Store(partial)
    await copy.commit(releaseOwnership).finally(() => copy.close())
    await synced(join(partial, dataFile))
    await rename(join(partial, dataFile), join(dir, dataFile))
    await rm(partial, { recursive: true })
    await synced(dir)
    await synced(dirname(dir))
  } catch (cause) {
    await rm(partial, { recursive: true, force: true }).catch(() => {})
    throw new PosthasteError('UNAVAILABLE', `the snapshot in ${dir} could not be written: ${String(cause)}`, {
      cause,
      remedy: 'Make room there, or name another directory, and take the snapshot again.',
    })
  }
}

/**
 * A place for the copy in a directory that had nothing in it; whoever comes second finds it there.
 * @throws FAILED_PRECONDITION INVALID_ARGUMENT UNAVAILABLE
 */
async function reserved(dir: string): Promise<string> {
  if (typeof dir !== 'string' || dir === '')
    throw new PosthasteError('INVALID_ARGUMENT', 'snapshot(): dir must be the path of a directory')
  const partial = join(dir, incomplete)
  try {
    await mkdir(dir, { recursive: true })
    const [found] = await readdir(dir)
    if (found !== undefined) throw notEmpty(dir, found)
    await mkdir(partial)
    return partial
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST' && (await isDirectory(dir))) throw notEmpty(dir, incomplete)
    throw PosthasteError.from(cause, 'UNAVAILABLE', `the directory ${dir} cannot be used`)
  }
}

function notEmpty(dir: string, found: string): PosthasteError {
  return new PosthasteError('FAILED_PRECONDITION', `the directory ${dir} is not empty: it has ${found}`, {
    remedy: 'Give each snapshot a directory of its own.',
  })
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory()
}

/** Makes a file, or the names in a directory, durable. */
async function synced(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}
