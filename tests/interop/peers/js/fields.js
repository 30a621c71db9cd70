// complete: a request's fields with their defaults. A default of null is required, one of
// undefined may be left out.

import { BadRequest } from './channel.js'

export function complete (given, defaults) {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(defaults, name)) throw new BadRequest(`unknown field ${name}`)
  }
  const fields = { ...defaults }
  for (const [name, value] of Object.entries(given)) {
    if (value != null) fields[name] = value
  }
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) throw new BadRequest(`missing field ${name}`)
  }
  return fields
}

/** What of `fields` was given, so that a library keeps its own defaults for the rest. */
export function given (fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

export function hex (bytes) {
  return Buffer.from(bytes).toString('hex')
}

export function unhex (text) {
  return new Uint8Array(Buffer.from(text, 'hex'))
}
