import type { BrokerConfig } from './config.ts'

/**
 * The configuration that a file and the environment say together; the environment has the last word.
 * @param text JSON of the configuration file; undefined where there is none
 * @throws CONFIG_INVALID listing every mistake, with what to do about it
 */
export function configOf(
  _text: string | undefined,
  _environment: Readonly<Record<string, string | undefined>>,
): BrokerConfig {
  throw new Error('to come')
}
