import { statfsSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform } from 'node:os'
import process from 'node:process'

/** Where figures were measured; nothing that tells one machine of a kind from another. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly node: string
  readonly platform: string
  readonly fs: string
}

/** @see statfs(2) */
const fsNames: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
  801189825: 'zfs',
  26: 'apfs',
}

/**
 * This machine, and the file system that a directory is on.
 * @throws Error when that is in memory: nothing there is durable
 */
export function machineOf(dir: string): Machine {
  const type = statfsSync(dir).type
  const fs = fsNames[type] ?? `type 0x${type.toString(16)}`
  if (fs === 'tmpfs') throw new Error('the benchmark needs a directory on a disk, and this one is in memory')
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    node: process.versions.node,
    platform: `${platform()} ${arch()}`,
    fs,
  }
}
