import { statfsSync } from 'node:fs'

/** What is kept free: so much of the file system, and no more than so many bytes. */
const keptShare = 0.01
const keptBytesMax = 64 * 1024 * 1024
/** Pages of the trees are written anew beside the rows. */
const bytesPerByte = 2
const bytesPerCommit = 256 * 1024

/**
 * Refuses to write before the disk is full. Whoever clears it up then has room to work in, and LMDB never meets a write that
 * fails: its binding composes the message of that failure in a buffer that is too small (`mdb_page_flush` of lmdb 3.5), which
 * may end the process at any time after.
 *
 * @throws Error when there is no room for so many bytes of rows
 */
export function requireRoom(dir: string, bytes: number): void {
  const { bsize, blocks, bavail } = statfsSync(dir)
  const needed = Math.min(keptBytesMax, blocks * bsize * keptShare) + bytesPerCommit + bytesPerByte * bytes
  if (bavail * bsize < needed) throw new Error('the disk is full')
}
