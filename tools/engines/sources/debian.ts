import { existsSync, rmSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { run } from './command.ts'
import { findExecutable } from './path.ts'

/** Asked by Debian's packages before they start or restart a service; 101 forbids it. */
const policyFile = '/usr/sbin/policy-rc.d'
const policy = '#!/bin/sh\nexit 101\n'

/** Whether packages of Debian can be installed here. */
export function hasApt(): boolean {
  return process.getuid?.() === 0 && findExecutable('apt-get') !== undefined
}

/**
 * Installs a package of Debian without starting any service of it.
 * @throws Error with the output of apt-get
 */
export async function installPackage(name: string): Promise<void> {
  const forbids = !existsSync(policyFile)
  if (forbids) writeFileSync(policyFile, policy, { mode: 0o755 })
  // RUNLEVEL says the same to what was started by init scripts.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const install = () => run(['apt-get', 'install', '--yes', '--no-install-recommends', name], { env })
  try {
    await install().catch(async () => {
      // Most often because the lists of a fresh machine are empty.
      await run(['apt-get', 'update'], { env })
      return install()
    })
  } finally {
    if (forbids) rmSync(policyFile, { force: true })
  }
}

/**
 * An executable, from PATH or from the package of Debian that brings it; `undefined` where there is neither.
 * @throws Error when the package cannot be installed
 */
export async function executableOf(name: string, packageName: string): Promise<string | undefined> {
  const found = findExecutable(name)
  if (found || !hasApt()) return found
  await installPackage(packageName)
  return findExecutable(name)
}
