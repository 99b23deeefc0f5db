import { join } from 'node:path'
import { readWorkspace } from '../workspace/workspace.ts'
import { build } from './build.ts'

build(readWorkspace(join(import.meta.dirname, '../..')))
