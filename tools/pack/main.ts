import { join, resolve } from 'node:path'
import { build } from '../build/build.ts'
import { readWorkspace } from '../workspace/workspace.ts'
import { packAll } from './pack.ts'

const workspace = readWorkspace(join(import.meta.dirname, '../..'))
build(workspace)
for (const { name, tarball } of packAll(workspace, resolve(process.argv[2] ?? 'dist')))
  console.log(`${name} ${tarball}`)
