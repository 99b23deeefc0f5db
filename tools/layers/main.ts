import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { importsOf } from '../workspace/imports.ts'
import { parseSource } from '../workspace/source.ts'
import { readWorkspace } from '../workspace/workspace.ts'
import { checkLayers } from './check.ts'

const workspace = readWorkspace(join(import.meta.dirname, '../..'))
const imports = new Map(
  workspace.files.map((path) => [path, importsOf(parseSource(path, readFileSync(join(workspace.root, path), 'utf8')))]),
)
const violations = checkLayers({ ...workspace, imports })
for (const { file, line, rule, message } of violations) console.error(`${file}:${line} [${rule}] ${message}`)
const edges = [...imports.values()].reduce((sum, sites) => sum + sites.length, 0)
console.log(`layers: ${imports.size} files, ${edges} imports, ${violations.length} violations`)
process.exitCode = violations.length > 0 ? 1 : 0
