// js-libp2p 3 wants Promise.withResolvers, which Node.js has from version 22 on. Import this first.

Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
