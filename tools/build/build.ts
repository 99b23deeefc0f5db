import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Workspace } from '../workspace/workspace.ts'

/**
 * Compiles what changed of the published packages to their `dist`, and removes output whose source is gone.
 * @throws Error when a source does not compile; the compiler's findings stand on stderr.
 */
export function build(workspace: Workspace): void {
  const tsc = join(workspace.root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-b', 'tsconfig.build.json'], { cwd: workspace.root, stdio: ['ignore', 2, 2] })
  for (const { dir, isPrivate } of workspace.packages) {
    if (!isPrivate) prune(join(workspace.root, dir, 'dist'), join(workspace.root, dir, 'src'))
  }
}

/** Deletes every output file that no source of the same name explains; gives the names of what it deleted. */
export function prune(distDir: string, sourceDir: string): readonly string[] {
  const orphans = readdirSync(distDir, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const stem = /^(.*?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(name)?.[1]
    return stem !== undefined && !existsSync(join(sourceDir, `${stem}.ts`))
  })
  for (const name of orphans) rmSync(join(distDir, name))
  return orphans
}
