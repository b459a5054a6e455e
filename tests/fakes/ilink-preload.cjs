// The plugin asks a fixed host: loaded by NODE_OPTIONS, this asks the stand-in of ILINK_BASE instead.
const HOST = "https://ilinkai.weixin.qq.com";
const real = globalThis.fetch;
globalThis.fetch = (input, options) => {
  const url = typeof input === "string" ? input : (input.href ?? input.url);
  return url.startsWith(HOST)
    ? real(process.env.ILINK_BASE + url.slice(HOST.length), options)
    : real(input, options);
};
