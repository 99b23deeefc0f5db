import { globSync } from 'node:fs'
import { basename, join } from 'node:path'

/** What the file of a model exports as `model`; see `packages/core/test/models/model.ts`. */
interface Model {
  readonly name: string
  run(run: { readonly steps: number; readonly seed: number }): Promise<number>
}

const root = join(import.meta.dirname, '../..')
const suffix = '.model.ts'

/** The models of all packages, by the names of their files. */
export function modelFiles(): ReadonlyMap<string, string> {
  const files = globSync(`packages/**/test/models/*${suffix}`, { cwd: root, exclude: ['**/node_modules/**'] })
  return new Map(files.sort().map((file) => [basename(file, suffix), join(root, file)]))
}

/**
 * The model of a file.
 * @throws Error when it exports none
 */
export async function modelOf(file: string): Promise<Model> {
  const { model } = (await import(file)) as { readonly model?: Model }
  if (typeof model?.run !== 'function') throw new Error(`${file} exports no model`)
  return model
}
