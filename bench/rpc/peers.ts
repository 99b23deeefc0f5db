import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const dir = join(import.meta.dirname, 'peers')

/** Whether the packages of the other contestants are there. */
export function peersAreInstalled(): boolean {
  return existsSync(join(dir, 'node_modules'))
}

/**
 * Installs the packages of the other contestants, as their lock says, where they are not.
 * @throws Error when npm cannot
 */
export function installPeers(): void {
  if (peersAreInstalled()) return
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) throw new Error('npm ci failed in bench/rpc/peers; the benchmark needs what stands there')
}
