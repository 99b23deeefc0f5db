import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const dir = join(import.meta.dirname, 'peers')

/**
 * Installs the packages of the other contestants, as their lock says, where they are not.
 * @throws Error when npm cannot
 */
export function installPeers(): void {
  if (existsSync(join(dir, 'node_modules'))) return
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) throw new Error('npm ci failed in bench/rpc/peers; the benchmark needs what stands there')
}
