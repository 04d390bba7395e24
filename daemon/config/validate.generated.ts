// @ts-nocheck: written by ops/generate-config.ts from daemon/config/schema.ts. Do not edit.
export const validate: { (data: unknown): boolean; errors?: import("./validate.js").Mismatch[] | null } = validate10;
const schema11 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"Pinion configuration","type":"object","additionalProperties":false,"properties":{"listen":{"type":["string","object","array"],"description":"Where to listen: one address, or a list. `--listen` on the command line replaces it.","default":"127.0.0.1:8080","properties":{"address":{"type":"string","description":"`127.0.0.1:8080`, `[::1]:8080`, `:8080` (every address of the machine), `unix:/run/app.sock`, `fd:3` (an inherited socket), `systemd` or `systemd:NAME` (the sockets that systemd hands over). Port 0 lets the kernel choose."},"proxyProtocol":{"type":"boolean","default":false,"description":"Expect the PROXY protocol's header, and take the client's address from it."},"backlog":{"type":"integer","minimum":1,"maximum":65535,"default":1024,"description":"Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn."},"mode":{"type":"string","pattern":"^0?[0-7]{3}$","description":"Permissions of a Unix socket, octal and in quotes: `\"0660\"`."}},"required":["address"],"additionalProperties":false,"minItems":1,"maxItems":64,"items":{"type":["string","object"],"properties":{"address":{"type":"string","description":"`127.0.0.1:8080`, `[::1]:8080`, `:8080` (every address of the machine), `unix:/run/app.sock`, `fd:3` (an inherited socket), `systemd` or `systemd:NAME` (the sockets that systemd hands over). Port 0 lets the kernel choose."},"proxyProtocol":{"type":"boolean","default":false,"description":"Expect the PROXY protocol's header, and take the client's address from it."},"backlog":{"type":"integer","minimum":1,"maximum":65535,"default":1024,"description":"Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn."},"mode":{"type":"string","pattern":"^0?[0-7]{3}$","description":"Permissions of a Unix socket, octal and in quotes: `\"0660\"`."}},"required":["address"],"additionalProperties":false}},"shards":{"type":["string","integer"],"pattern":"^auto$","minimum":1,"maximum":256,"default":"auto","description":"Shards, each with its own sockets, memory and worker. `auto`: one for each logical core that affinity and cgroup leave to the process."},"io":{"enum":["auto","uring","epoll"],"default":"auto","description":"The kernel's interface. `auto`: io_uring where the probe finds it good enough, else epoll."},"routes":{"type":"array","default":[],"maxItems":20000,"description":"What answers which path.","items":{"type":"object","additionalProperties":false,"required":["path"],"properties":{"path":{"type":"string","description":"Pattern: `/hello/{name:string}`. Kinds: `string` (also without a kind), `int`, `float`, `uuid`, and, at the end, `path`, which takes the rest. No parameter is ever empty: `/files/{rest:path}` does not answer `/files/`."},"methods":{"type":"array","minItems":1,"items":{"enum":["GET","HEAD","POST","PUT","DELETE","OPTIONS","TRACE","PATCH"]},"description":"Methods that are answered; another is 405. Left out: GET for `respond`; for a handler, the methods that it has functions for, or all but TRACE if it is one function. GET answers HEAD too."},"handler":{"type":"string","pattern":"\\.(ts|mts|js|mjs)$","description":"A `.ts` or `.js` module, relative to the configuration's folder."},"options":{"description":"Handed to the module's factory. Any YAML value."},"respond":{"type":"object","additionalProperties":false,"description":"A fixed answer, given without JavaScript.","properties":{"status":{"type":"integer","minimum":200,"maximum":599,"default":200,"description":"Status code."},"type":{"type":"string","description":"Content-Type. Left out: `text/plain; charset=utf-8` if there is a body."},"headers":{"type":"object","additionalProperties":{"type":"string"},"default":{},"description":"Further fields, by name."},"body":{"type":"string","default":"","description":"The body."}}},"timeout":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":1,"most":604800000,"description":"Time for this handler; left out: `timeouts.handler`."},"body":{"type":["string","integer"],"unit":"size","pattern":"^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$","minimum":0,"least":0,"most":68719476736,"description":"Largest request body of this route; left out: `limits.body`."}}}},"write":{"type":["string","array"],"default":[],"maxItems":64,"pattern":".","items":{"type":"string","pattern":"."},"description":"Folders (with all that is below them) and files that handlers, and programs that they start, may write to: `[./data]`, relative to the configuration's folder. They have to be there when the server starts. Beside them only the folder for temporary files and the folders that systemd hands over (`StateDirectory=`, `LogsDirectory=`, `RuntimeDirectory=`) may be written to, where the kernel has Landlock. `any`: no restriction."},"cache":{"type":"string","pattern":".","description":"Folder where compiled handlers are kept, relative to the configuration's folder. Left out: `handlers` in systemd's `CacheDirectory=`, else `pinion` in `XDG_CACHE_HOME` or `~/.cache`, or in the folder for temporary files where that cannot be written to."},"limits":{"type":"object","additionalProperties":false,"default":{},"description":"Bounds. At each there is backpressure or a status code, never growth.","properties":{"body":{"type":["string","integer"],"unit":"size","pattern":"^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$","minimum":0,"least":0,"most":68719476736,"default":"1MiB","description":"Largest request body (413)."},"head":{"type":["string","integer"],"unit":"size","pattern":"^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$","minimum":0,"least":256,"most":65535,"default":"16KiB","description":"Largest request head (431)."},"target":{"type":["string","integer"],"unit":"size","pattern":"^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$","minimum":0,"least":64,"most":65535,"default":"8KiB","description":"Longest request target (414)."},"fields":{"type":"integer","minimum":1,"maximum":200,"default":100,"description":"Field lines of one request (431)."},"connections":{"type":"integer","minimum":1,"maximum":1000000,"default":10000,"description":"Open connections of the whole server, shared out evenly among the shards; further ones wait in the kernel."},"slots":{"type":"integer","minimum":2,"maximum":65536,"default":1024,"description":"Requests of one shard that are parsed and not yet answered; a few, of two one, are kept for those that need no handler."},"queue":{"type":"integer","minimum":1,"maximum":65536,"description":"Requests of one shard that wait for their handler to be called, and connections that wait for a slot (503); left out: bounded by connections and memory alone."},"arena":{"type":["string","integer"],"unit":"size","pattern":"^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$","minimum":0,"least":65536,"most":1879048192,"default":"16MiB","description":"Memory of one shard for requests and answers, touched only as it is used. io_uring has 256MiB at most: beyond that `io: auto` is epoll."},"connection":{"type":["string","integer"],"unit":"size","pattern":"^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$","minimum":0,"least":8192,"most":1073741824,"default":"256KiB","description":"The most of its shard's arena that one connection's unread input may hold."},"pipeline":{"type":"integer","minimum":1,"maximum":65535,"default":64,"description":"Requests of one connection that are read ahead of their answers."},"addressConnections":{"type":"integer","minimum":0,"maximum":1000000,"default":0,"description":"Open connections of one client address (IPv6: of one /64) and one shard; further ones are closed. 0: no limit."},"addressRate":{"type":"integer","minimum":0,"maximum":1000000,"default":0,"description":"Requests a second of one client address (IPv6: of one /64) and one shard; it may be one second ahead (429). What is refused, malformed or too large counts as well. 0: no limit."},"heap":{"type":["string","integer"],"unit":"size","pattern":"^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$","minimum":0,"least":16777216,"most":68719476736,"description":"JavaScript heap of one worker; left out: Node's own default."},"abandoned":{"type":["string","integer"],"unit":"size","pattern":"^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$","minimum":0,"least":0,"most":1073741824,"default":"16MiB","description":"Memory of one worker for requests whose handlers go on although their clients have gone, or have got their 504; beyond that such a request keeps its slot until its handler is done, or for 30 seconds (so that all slots' worth may be added in that time)."},"youngHeap":{"type":["string","integer"],"unit":"size","pattern":"^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$","minimum":0,"least":1048576,"most":1073741824,"default":"12MiB","description":"The young generation of one worker's heap: a third of it is filled with new objects between two collections. More suits handlers that hold much while they wait."}}},"admission":{"type":"object","additionalProperties":false,"default":{},"description":"When requests for handlers are refused because too many wait (503 with Retry-After).","properties":{"target":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":0,"most":604800000,"default":"250ms","description":"In a standing queue, new requests are refused while the oldest has waited so long. 0: never."},"interval":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":1,"most":604800000,"default":"500ms","description":"A queue that has not been empty for so long is a standing one, and who has waited so long in it, or would have to, is refused; a shorter burst may wait."}}},"timeouts":{"type":"object","additionalProperties":false,"default":{},"description":"How long each state may last.","properties":{"head":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":1,"most":604800000,"default":"10s","description":"From a connection's or a request's first moment to the end of its head (408)."},"body":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":1,"most":604800000,"default":"30s","description":"A client that sends nothing of a request body for so long, or less than 512 bytes a second, is slow (408). While other uploads wait to begin, the slowest of those that send nothing for 5 seconds, or less than 16 KiB a second, give way."},"handler":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":1,"most":604800000,"default":"30s","description":"For a handler to answer (504)."},"write":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":1,"most":604800000,"default":"30s","description":"A client that takes nothing of an answer for so long, or less than 512 bytes a second, is disconnected, after twice this time at the latest."},"keepAlive":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":1,"most":604800000,"default":"60s","description":"An idle connection is kept."},"drain":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":0,"most":604800000,"default":"10s","description":"From SIGTERM or SIGINT to the end of the process. Requests in flight have all of it but the last tenth (0.1 to 1 second)."},"spin":{"type":"string","unit":"duration","pattern":"^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$","least":100,"most":604800000,"default":"60s","description":"A worker may stay in JavaScript, with requests waiting, before it is replaced."}}},"health":{"type":"object","additionalProperties":false,"default":{},"description":"Routes for health checks, answered without JavaScript.","properties":{"enabled":{"type":"boolean","default":true,"description":"Answer them."},"live":{"type":"string","default":"/-/live","description":"200 while the process runs."},"ready":{"type":"string","default":"/-/ready","description":"200 while the shard has a live worker, workers do not end again and again, and it is not draining; else 503."}}},"http":{"type":"object","additionalProperties":false,"default":{},"description":"HTTP details.","properties":{"halfOpen":{"type":"boolean","default":true,"description":"A client that has closed its sending side still gets its answer; false: it counts as gone."}}},"log":{"type":"object","additionalProperties":false,"default":{},"description":"What the daemon writes about itself (standard error), and about requests (standard output).","properties":{"access":{"type":"boolean","default":false,"description":"One line of JSON on standard output for each request; `{\"dropped\":n}` where n lines found no room, because standard output was not read fast enough."},"level":{"enum":["error","warn","info","debug"],"default":"info","description":"The least level that is written."},"format":{"enum":["auto","json","text"],"default":"auto","description":"`auto`: text on a terminal, else JSON."}}}}};
const func2 = Object.prototype.hasOwnProperty;
const pattern0 = new RegExp("^0?[0-7]{3}$", "u");
const pattern2 = new RegExp("^auto$", "u");
const pattern3 = new RegExp("\\.(ts|mts|js|mjs)$", "u");
const pattern4 = new RegExp("^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$", "u");
const pattern5 = new RegExp("^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$", "u");
const pattern6 = new RegExp(".", "u");

function validate10(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!(func2.call(schema11.properties, key0))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0}};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.listen !== undefined){
let data0 = data.listen;
if((!data0 || typeof data0 != "object") && (typeof data0 !== "string")){
const err1 = {instancePath:instancePath+"/listen",schemaPath:"#/properties/listen/type",keyword:"type",params:{type: schema11.properties.listen.type}};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
if(Array.isArray(data0)){
if(data0.length > 64){
const err2 = {instancePath:instancePath+"/listen",schemaPath:"#/properties/listen/maxItems",keyword:"maxItems",params:{limit: 64}};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
if(data0.length < 1){
const err3 = {instancePath:instancePath+"/listen",schemaPath:"#/properties/listen/minItems",keyword:"minItems",params:{limit: 1}};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
const len0 = data0.length;
for(let i0=0; i0<len0; i0++){
let data1 = data0[i0];
if((typeof data1 !== "string") && (!(data1 && typeof data1 == "object" && !Array.isArray(data1)))){
const err4 = {instancePath:instancePath+"/listen/" + i0,schemaPath:"#/properties/listen/items/type",keyword:"type",params:{type: schema11.properties.listen.items.type}};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
if(data1 && typeof data1 == "object" && !Array.isArray(data1)){
if(data1.address === undefined){
const err5 = {instancePath:instancePath+"/listen/" + i0,schemaPath:"#/properties/listen/items/required",keyword:"required",params:{missingProperty: "address"}};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
for(const key1 in data1){
if(!((((key1 === "address") || (key1 === "proxyProtocol")) || (key1 === "backlog")) || (key1 === "mode"))){
const err6 = {instancePath:instancePath+"/listen/" + i0,schemaPath:"#/properties/listen/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1}};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
if(data1.address !== undefined){
if(typeof data1.address !== "string"){
const err7 = {instancePath:instancePath+"/listen/" + i0+"/address",schemaPath:"#/properties/listen/items/properties/address/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
if(data1.proxyProtocol !== undefined){
if(typeof data1.proxyProtocol !== "boolean"){
const err8 = {instancePath:instancePath+"/listen/" + i0+"/proxyProtocol",schemaPath:"#/properties/listen/items/properties/proxyProtocol/type",keyword:"type",params:{type: "boolean"}};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
if(data1.backlog !== undefined){
let data4 = data1.backlog;
if(!(((typeof data4 == "number") && (!(data4 % 1) && !isNaN(data4))) && (isFinite(data4)))){
const err9 = {instancePath:instancePath+"/listen/" + i0+"/backlog",schemaPath:"#/properties/listen/items/properties/backlog/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
if((typeof data4 == "number") && (isFinite(data4))){
if(data4 > 65535 || isNaN(data4)){
const err10 = {instancePath:instancePath+"/listen/" + i0+"/backlog",schemaPath:"#/properties/listen/items/properties/backlog/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535}};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
if(data4 < 1 || isNaN(data4)){
const err11 = {instancePath:instancePath+"/listen/" + i0+"/backlog",schemaPath:"#/properties/listen/items/properties/backlog/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1}};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
}
if(data1.mode !== undefined){
let data5 = data1.mode;
if(typeof data5 === "string"){
if(!pattern0.test(data5)){
const err12 = {instancePath:instancePath+"/listen/" + i0+"/mode",schemaPath:"#/properties/listen/items/properties/mode/pattern",keyword:"pattern",params:{pattern: "^0?[0-7]{3}$"}};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
else {
const err13 = {instancePath:instancePath+"/listen/" + i0+"/mode",schemaPath:"#/properties/listen/items/properties/mode/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
}
}
}
if(data0 && typeof data0 == "object" && !Array.isArray(data0)){
if(data0.address === undefined){
const err14 = {instancePath:instancePath+"/listen",schemaPath:"#/properties/listen/required",keyword:"required",params:{missingProperty: "address"}};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
for(const key2 in data0){
if(!((((key2 === "address") || (key2 === "proxyProtocol")) || (key2 === "backlog")) || (key2 === "mode"))){
const err15 = {instancePath:instancePath+"/listen",schemaPath:"#/properties/listen/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2}};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
}
if(data0.address !== undefined){
if(typeof data0.address !== "string"){
const err16 = {instancePath:instancePath+"/listen/address",schemaPath:"#/properties/listen/properties/address/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
if(data0.proxyProtocol !== undefined){
if(typeof data0.proxyProtocol !== "boolean"){
const err17 = {instancePath:instancePath+"/listen/proxyProtocol",schemaPath:"#/properties/listen/properties/proxyProtocol/type",keyword:"type",params:{type: "boolean"}};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
}
if(data0.backlog !== undefined){
let data8 = data0.backlog;
if(!(((typeof data8 == "number") && (!(data8 % 1) && !isNaN(data8))) && (isFinite(data8)))){
const err18 = {instancePath:instancePath+"/listen/backlog",schemaPath:"#/properties/listen/properties/backlog/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
if((typeof data8 == "number") && (isFinite(data8))){
if(data8 > 65535 || isNaN(data8)){
const err19 = {instancePath:instancePath+"/listen/backlog",schemaPath:"#/properties/listen/properties/backlog/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535}};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
if(data8 < 1 || isNaN(data8)){
const err20 = {instancePath:instancePath+"/listen/backlog",schemaPath:"#/properties/listen/properties/backlog/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1}};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
}
}
if(data0.mode !== undefined){
let data9 = data0.mode;
if(typeof data9 === "string"){
if(!pattern0.test(data9)){
const err21 = {instancePath:instancePath+"/listen/mode",schemaPath:"#/properties/listen/properties/mode/pattern",keyword:"pattern",params:{pattern: "^0?[0-7]{3}$"}};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
}
else {
const err22 = {instancePath:instancePath+"/listen/mode",schemaPath:"#/properties/listen/properties/mode/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
}
}
}
if(data.shards !== undefined){
let data10 = data.shards;
if((typeof data10 !== "string") && (!(((typeof data10 == "number") && (!(data10 % 1) && !isNaN(data10))) && (isFinite(data10))))){
const err23 = {instancePath:instancePath+"/shards",schemaPath:"#/properties/shards/type",keyword:"type",params:{type: schema11.properties.shards.type}};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
if((typeof data10 == "number") && (isFinite(data10))){
if(data10 > 256 || isNaN(data10)){
const err24 = {instancePath:instancePath+"/shards",schemaPath:"#/properties/shards/maximum",keyword:"maximum",params:{comparison: "<=", limit: 256}};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
if(data10 < 1 || isNaN(data10)){
const err25 = {instancePath:instancePath+"/shards",schemaPath:"#/properties/shards/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1}};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
}
if(typeof data10 === "string"){
if(!pattern2.test(data10)){
const err26 = {instancePath:instancePath+"/shards",schemaPath:"#/properties/shards/pattern",keyword:"pattern",params:{pattern: "^auto$"}};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
}
}
if(data.io !== undefined){
let data11 = data.io;
if(!(((data11 === "auto") || (data11 === "uring")) || (data11 === "epoll"))){
const err27 = {instancePath:instancePath+"/io",schemaPath:"#/properties/io/enum",keyword:"enum",params:{allowedValues: schema11.properties.io.enum}};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
}
if(data.routes !== undefined){
let data12 = data.routes;
if(Array.isArray(data12)){
if(data12.length > 20000){
const err28 = {instancePath:instancePath+"/routes",schemaPath:"#/properties/routes/maxItems",keyword:"maxItems",params:{limit: 20000}};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
const len1 = data12.length;
for(let i1=0; i1<len1; i1++){
let data13 = data12[i1];
if(data13 && typeof data13 == "object" && !Array.isArray(data13)){
if(data13.path === undefined){
const err29 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"#/properties/routes/items/required",keyword:"required",params:{missingProperty: "path"}};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
for(const key3 in data13){
if(!(((((((key3 === "path") || (key3 === "methods")) || (key3 === "handler")) || (key3 === "options")) || (key3 === "respond")) || (key3 === "timeout")) || (key3 === "body"))){
const err30 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"#/properties/routes/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key3}};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
}
if(data13.path !== undefined){
if(typeof data13.path !== "string"){
const err31 = {instancePath:instancePath+"/routes/" + i1+"/path",schemaPath:"#/properties/routes/items/properties/path/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
}
if(data13.methods !== undefined){
let data15 = data13.methods;
if(Array.isArray(data15)){
if(data15.length < 1){
const err32 = {instancePath:instancePath+"/routes/" + i1+"/methods",schemaPath:"#/properties/routes/items/properties/methods/minItems",keyword:"minItems",params:{limit: 1}};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
const len2 = data15.length;
for(let i2=0; i2<len2; i2++){
let data16 = data15[i2];
if(!((((((((data16 === "GET") || (data16 === "HEAD")) || (data16 === "POST")) || (data16 === "PUT")) || (data16 === "DELETE")) || (data16 === "OPTIONS")) || (data16 === "TRACE")) || (data16 === "PATCH"))){
const err33 = {instancePath:instancePath+"/routes/" + i1+"/methods/" + i2,schemaPath:"#/properties/routes/items/properties/methods/items/enum",keyword:"enum",params:{allowedValues: schema11.properties.routes.items.properties.methods.items.enum}};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
}
}
else {
const err34 = {instancePath:instancePath+"/routes/" + i1+"/methods",schemaPath:"#/properties/routes/items/properties/methods/type",keyword:"type",params:{type: "array"}};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
}
if(data13.handler !== undefined){
let data17 = data13.handler;
if(typeof data17 === "string"){
if(!pattern3.test(data17)){
const err35 = {instancePath:instancePath+"/routes/" + i1+"/handler",schemaPath:"#/properties/routes/items/properties/handler/pattern",keyword:"pattern",params:{pattern: "\\.(ts|mts|js|mjs)$"}};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
}
else {
const err36 = {instancePath:instancePath+"/routes/" + i1+"/handler",schemaPath:"#/properties/routes/items/properties/handler/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
}
if(data13.respond !== undefined){
let data18 = data13.respond;
if(data18 && typeof data18 == "object" && !Array.isArray(data18)){
for(const key4 in data18){
if(!((((key4 === "status") || (key4 === "type")) || (key4 === "headers")) || (key4 === "body"))){
const err37 = {instancePath:instancePath+"/routes/" + i1+"/respond",schemaPath:"#/properties/routes/items/properties/respond/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key4}};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
}
if(data18.status !== undefined){
let data19 = data18.status;
if(!(((typeof data19 == "number") && (!(data19 % 1) && !isNaN(data19))) && (isFinite(data19)))){
const err38 = {instancePath:instancePath+"/routes/" + i1+"/respond/status",schemaPath:"#/properties/routes/items/properties/respond/properties/status/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
if((typeof data19 == "number") && (isFinite(data19))){
if(data19 > 599 || isNaN(data19)){
const err39 = {instancePath:instancePath+"/routes/" + i1+"/respond/status",schemaPath:"#/properties/routes/items/properties/respond/properties/status/maximum",keyword:"maximum",params:{comparison: "<=", limit: 599}};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
if(data19 < 200 || isNaN(data19)){
const err40 = {instancePath:instancePath+"/routes/" + i1+"/respond/status",schemaPath:"#/properties/routes/items/properties/respond/properties/status/minimum",keyword:"minimum",params:{comparison: ">=", limit: 200}};
if(vErrors === null){
vErrors = [err40];
}
else {
vErrors.push(err40);
}
errors++;
}
}
}
if(data18.type !== undefined){
if(typeof data18.type !== "string"){
const err41 = {instancePath:instancePath+"/routes/" + i1+"/respond/type",schemaPath:"#/properties/routes/items/properties/respond/properties/type/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err41];
}
else {
vErrors.push(err41);
}
errors++;
}
}
if(data18.headers !== undefined){
let data21 = data18.headers;
if(data21 && typeof data21 == "object" && !Array.isArray(data21)){
for(const key5 in data21){
if(typeof data21[key5] !== "string"){
const err42 = {instancePath:instancePath+"/routes/" + i1+"/respond/headers/" + key5.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/routes/items/properties/respond/properties/headers/additionalProperties/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err42];
}
else {
vErrors.push(err42);
}
errors++;
}
}
}
else {
const err43 = {instancePath:instancePath+"/routes/" + i1+"/respond/headers",schemaPath:"#/properties/routes/items/properties/respond/properties/headers/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err43];
}
else {
vErrors.push(err43);
}
errors++;
}
}
if(data18.body !== undefined){
if(typeof data18.body !== "string"){
const err44 = {instancePath:instancePath+"/routes/" + i1+"/respond/body",schemaPath:"#/properties/routes/items/properties/respond/properties/body/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err44];
}
else {
vErrors.push(err44);
}
errors++;
}
}
}
else {
const err45 = {instancePath:instancePath+"/routes/" + i1+"/respond",schemaPath:"#/properties/routes/items/properties/respond/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err45];
}
else {
vErrors.push(err45);
}
errors++;
}
}
if(data13.timeout !== undefined){
let data24 = data13.timeout;
if(typeof data24 === "string"){
if(!pattern4.test(data24)){
const err46 = {instancePath:instancePath+"/routes/" + i1+"/timeout",schemaPath:"#/properties/routes/items/properties/timeout/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err46];
}
else {
vErrors.push(err46);
}
errors++;
}
}
else {
const err47 = {instancePath:instancePath+"/routes/" + i1+"/timeout",schemaPath:"#/properties/routes/items/properties/timeout/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err47];
}
else {
vErrors.push(err47);
}
errors++;
}
}
if(data13.body !== undefined){
let data25 = data13.body;
if((typeof data25 !== "string") && (!(((typeof data25 == "number") && (!(data25 % 1) && !isNaN(data25))) && (isFinite(data25))))){
const err48 = {instancePath:instancePath+"/routes/" + i1+"/body",schemaPath:"#/properties/routes/items/properties/body/type",keyword:"type",params:{type: schema11.properties.routes.items.properties.body.type}};
if(vErrors === null){
vErrors = [err48];
}
else {
vErrors.push(err48);
}
errors++;
}
if((typeof data25 == "number") && (isFinite(data25))){
if(data25 < 0 || isNaN(data25)){
const err49 = {instancePath:instancePath+"/routes/" + i1+"/body",schemaPath:"#/properties/routes/items/properties/body/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err49];
}
else {
vErrors.push(err49);
}
errors++;
}
}
if(typeof data25 === "string"){
if(!pattern5.test(data25)){
const err50 = {instancePath:instancePath+"/routes/" + i1+"/body",schemaPath:"#/properties/routes/items/properties/body/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"}};
if(vErrors === null){
vErrors = [err50];
}
else {
vErrors.push(err50);
}
errors++;
}
}
}
}
else {
const err51 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"#/properties/routes/items/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err51];
}
else {
vErrors.push(err51);
}
errors++;
}
}
}
else {
const err52 = {instancePath:instancePath+"/routes",schemaPath:"#/properties/routes/type",keyword:"type",params:{type: "array"}};
if(vErrors === null){
vErrors = [err52];
}
else {
vErrors.push(err52);
}
errors++;
}
}
if(data.write !== undefined){
let data26 = data.write;
if((typeof data26 !== "string") && (!(Array.isArray(data26)))){
const err53 = {instancePath:instancePath+"/write",schemaPath:"#/properties/write/type",keyword:"type",params:{type: schema11.properties.write.type}};
if(vErrors === null){
vErrors = [err53];
}
else {
vErrors.push(err53);
}
errors++;
}
if(typeof data26 === "string"){
if(!pattern6.test(data26)){
const err54 = {instancePath:instancePath+"/write",schemaPath:"#/properties/write/pattern",keyword:"pattern",params:{pattern: "."}};
if(vErrors === null){
vErrors = [err54];
}
else {
vErrors.push(err54);
}
errors++;
}
}
if(Array.isArray(data26)){
if(data26.length > 64){
const err55 = {instancePath:instancePath+"/write",schemaPath:"#/properties/write/maxItems",keyword:"maxItems",params:{limit: 64}};
if(vErrors === null){
vErrors = [err55];
}
else {
vErrors.push(err55);
}
errors++;
}
const len3 = data26.length;
for(let i3=0; i3<len3; i3++){
let data27 = data26[i3];
if(typeof data27 === "string"){
if(!pattern6.test(data27)){
const err56 = {instancePath:instancePath+"/write/" + i3,schemaPath:"#/properties/write/items/pattern",keyword:"pattern",params:{pattern: "."}};
if(vErrors === null){
vErrors = [err56];
}
else {
vErrors.push(err56);
}
errors++;
}
}
else {
const err57 = {instancePath:instancePath+"/write/" + i3,schemaPath:"#/properties/write/items/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err57];
}
else {
vErrors.push(err57);
}
errors++;
}
}
}
}
if(data.cache !== undefined){
let data28 = data.cache;
if(typeof data28 === "string"){
if(!pattern6.test(data28)){
const err58 = {instancePath:instancePath+"/cache",schemaPath:"#/properties/cache/pattern",keyword:"pattern",params:{pattern: "."}};
if(vErrors === null){
vErrors = [err58];
}
else {
vErrors.push(err58);
}
errors++;
}
}
else {
const err59 = {instancePath:instancePath+"/cache",schemaPath:"#/properties/cache/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err59];
}
else {
vErrors.push(err59);
}
errors++;
}
}
if(data.limits !== undefined){
let data29 = data.limits;
if(data29 && typeof data29 == "object" && !Array.isArray(data29)){
for(const key6 in data29){
if(!(func2.call(schema11.properties.limits.properties, key6))){
const err60 = {instancePath:instancePath+"/limits",schemaPath:"#/properties/limits/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key6}};
if(vErrors === null){
vErrors = [err60];
}
else {
vErrors.push(err60);
}
errors++;
}
}
if(data29.body !== undefined){
let data30 = data29.body;
if((typeof data30 !== "string") && (!(((typeof data30 == "number") && (!(data30 % 1) && !isNaN(data30))) && (isFinite(data30))))){
const err61 = {instancePath:instancePath+"/limits/body",schemaPath:"#/properties/limits/properties/body/type",keyword:"type",params:{type: schema11.properties.limits.properties.body.type}};
if(vErrors === null){
vErrors = [err61];
}
else {
vErrors.push(err61);
}
errors++;
}
if((typeof data30 == "number") && (isFinite(data30))){
if(data30 < 0 || isNaN(data30)){
const err62 = {instancePath:instancePath+"/limits/body",schemaPath:"#/properties/limits/properties/body/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err62];
}
else {
vErrors.push(err62);
}
errors++;
}
}
if(typeof data30 === "string"){
if(!pattern5.test(data30)){
const err63 = {instancePath:instancePath+"/limits/body",schemaPath:"#/properties/limits/properties/body/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"}};
if(vErrors === null){
vErrors = [err63];
}
else {
vErrors.push(err63);
}
errors++;
}
}
}
if(data29.head !== undefined){
let data31 = data29.head;
if((typeof data31 !== "string") && (!(((typeof data31 == "number") && (!(data31 % 1) && !isNaN(data31))) && (isFinite(data31))))){
const err64 = {instancePath:instancePath+"/limits/head",schemaPath:"#/properties/limits/properties/head/type",keyword:"type",params:{type: schema11.properties.limits.properties.head.type}};
if(vErrors === null){
vErrors = [err64];
}
else {
vErrors.push(err64);
}
errors++;
}
if((typeof data31 == "number") && (isFinite(data31))){
if(data31 < 0 || isNaN(data31)){
const err65 = {instancePath:instancePath+"/limits/head",schemaPath:"#/properties/limits/properties/head/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err65];
}
else {
vErrors.push(err65);
}
errors++;
}
}
if(typeof data31 === "string"){
if(!pattern5.test(data31)){
const err66 = {instancePath:instancePath+"/limits/head",schemaPath:"#/properties/limits/properties/head/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"}};
if(vErrors === null){
vErrors = [err66];
}
else {
vErrors.push(err66);
}
errors++;
}
}
}
if(data29.target !== undefined){
let data32 = data29.target;
if((typeof data32 !== "string") && (!(((typeof data32 == "number") && (!(data32 % 1) && !isNaN(data32))) && (isFinite(data32))))){
const err67 = {instancePath:instancePath+"/limits/target",schemaPath:"#/properties/limits/properties/target/type",keyword:"type",params:{type: schema11.properties.limits.properties.target.type}};
if(vErrors === null){
vErrors = [err67];
}
else {
vErrors.push(err67);
}
errors++;
}
if((typeof data32 == "number") && (isFinite(data32))){
if(data32 < 0 || isNaN(data32)){
const err68 = {instancePath:instancePath+"/limits/target",schemaPath:"#/properties/limits/properties/target/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err68];
}
else {
vErrors.push(err68);
}
errors++;
}
}
if(typeof data32 === "string"){
if(!pattern5.test(data32)){
const err69 = {instancePath:instancePath+"/limits/target",schemaPath:"#/properties/limits/properties/target/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"}};
if(vErrors === null){
vErrors = [err69];
}
else {
vErrors.push(err69);
}
errors++;
}
}
}
if(data29.fields !== undefined){
let data33 = data29.fields;
if(!(((typeof data33 == "number") && (!(data33 % 1) && !isNaN(data33))) && (isFinite(data33)))){
const err70 = {instancePath:instancePath+"/limits/fields",schemaPath:"#/properties/limits/properties/fields/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err70];
}
else {
vErrors.push(err70);
}
errors++;
}
if((typeof data33 == "number") && (isFinite(data33))){
if(data33 > 200 || isNaN(data33)){
const err71 = {instancePath:instancePath+"/limits/fields",schemaPath:"#/properties/limits/properties/fields/maximum",keyword:"maximum",params:{comparison: "<=", limit: 200}};
if(vErrors === null){
vErrors = [err71];
}
else {
vErrors.push(err71);
}
errors++;
}
if(data33 < 1 || isNaN(data33)){
const err72 = {instancePath:instancePath+"/limits/fields",schemaPath:"#/properties/limits/properties/fields/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1}};
if(vErrors === null){
vErrors = [err72];
}
else {
vErrors.push(err72);
}
errors++;
}
}
}
if(data29.connections !== undefined){
let data34 = data29.connections;
if(!(((typeof data34 == "number") && (!(data34 % 1) && !isNaN(data34))) && (isFinite(data34)))){
const err73 = {instancePath:instancePath+"/limits/connections",schemaPath:"#/properties/limits/properties/connections/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err73];
}
else {
vErrors.push(err73);
}
errors++;
}
if((typeof data34 == "number") && (isFinite(data34))){
if(data34 > 1000000 || isNaN(data34)){
const err74 = {instancePath:instancePath+"/limits/connections",schemaPath:"#/properties/limits/properties/connections/maximum",keyword:"maximum",params:{comparison: "<=", limit: 1000000}};
if(vErrors === null){
vErrors = [err74];
}
else {
vErrors.push(err74);
}
errors++;
}
if(data34 < 1 || isNaN(data34)){
const err75 = {instancePath:instancePath+"/limits/connections",schemaPath:"#/properties/limits/properties/connections/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1}};
if(vErrors === null){
vErrors = [err75];
}
else {
vErrors.push(err75);
}
errors++;
}
}
}
if(data29.slots !== undefined){
let data35 = data29.slots;
if(!(((typeof data35 == "number") && (!(data35 % 1) && !isNaN(data35))) && (isFinite(data35)))){
const err76 = {instancePath:instancePath+"/limits/slots",schemaPath:"#/properties/limits/properties/slots/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err76];
}
else {
vErrors.push(err76);
}
errors++;
}
if((typeof data35 == "number") && (isFinite(data35))){
if(data35 > 65536 || isNaN(data35)){
const err77 = {instancePath:instancePath+"/limits/slots",schemaPath:"#/properties/limits/properties/slots/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65536}};
if(vErrors === null){
vErrors = [err77];
}
else {
vErrors.push(err77);
}
errors++;
}
if(data35 < 2 || isNaN(data35)){
const err78 = {instancePath:instancePath+"/limits/slots",schemaPath:"#/properties/limits/properties/slots/minimum",keyword:"minimum",params:{comparison: ">=", limit: 2}};
if(vErrors === null){
vErrors = [err78];
}
else {
vErrors.push(err78);
}
errors++;
}
}
}
if(data29.queue !== undefined){
let data36 = data29.queue;
if(!(((typeof data36 == "number") && (!(data36 % 1) && !isNaN(data36))) && (isFinite(data36)))){
const err79 = {instancePath:instancePath+"/limits/queue",schemaPath:"#/properties/limits/properties/queue/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err79];
}
else {
vErrors.push(err79);
}
errors++;
}
if((typeof data36 == "number") && (isFinite(data36))){
if(data36 > 65536 || isNaN(data36)){
const err80 = {instancePath:instancePath+"/limits/queue",schemaPath:"#/properties/limits/properties/queue/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65536}};
if(vErrors === null){
vErrors = [err80];
}
else {
vErrors.push(err80);
}
errors++;
}
if(data36 < 1 || isNaN(data36)){
const err81 = {instancePath:instancePath+"/limits/queue",schemaPath:"#/properties/limits/properties/queue/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1}};
if(vErrors === null){
vErrors = [err81];
}
else {
vErrors.push(err81);
}
errors++;
}
}
}
if(data29.arena !== undefined){
let data37 = data29.arena;
if((typeof data37 !== "string") && (!(((typeof data37 == "number") && (!(data37 % 1) && !isNaN(data37))) && (isFinite(data37))))){
const err82 = {instancePath:instancePath+"/limits/arena",schemaPath:"#/properties/limits/properties/arena/type",keyword:"type",params:{type: schema11.properties.limits.properties.arena.type}};
if(vErrors === null){
vErrors = [err82];
}
else {
vErrors.push(err82);
}
errors++;
}
if((typeof data37 == "number") && (isFinite(data37))){
if(data37 < 0 || isNaN(data37)){
const err83 = {instancePath:instancePath+"/limits/arena",schemaPath:"#/properties/limits/properties/arena/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err83];
}
else {
vErrors.push(err83);
}
errors++;
}
}
if(typeof data37 === "string"){
if(!pattern5.test(data37)){
const err84 = {instancePath:instancePath+"/limits/arena",schemaPath:"#/properties/limits/properties/arena/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"}};
if(vErrors === null){
vErrors = [err84];
}
else {
vErrors.push(err84);
}
errors++;
}
}
}
if(data29.connection !== undefined){
let data38 = data29.connection;
if((typeof data38 !== "string") && (!(((typeof data38 == "number") && (!(data38 % 1) && !isNaN(data38))) && (isFinite(data38))))){
const err85 = {instancePath:instancePath+"/limits/connection",schemaPath:"#/properties/limits/properties/connection/type",keyword:"type",params:{type: schema11.properties.limits.properties.connection.type}};
if(vErrors === null){
vErrors = [err85];
}
else {
vErrors.push(err85);
}
errors++;
}
if((typeof data38 == "number") && (isFinite(data38))){
if(data38 < 0 || isNaN(data38)){
const err86 = {instancePath:instancePath+"/limits/connection",schemaPath:"#/properties/limits/properties/connection/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err86];
}
else {
vErrors.push(err86);
}
errors++;
}
}
if(typeof data38 === "string"){
if(!pattern5.test(data38)){
const err87 = {instancePath:instancePath+"/limits/connection",schemaPath:"#/properties/limits/properties/connection/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"}};
if(vErrors === null){
vErrors = [err87];
}
else {
vErrors.push(err87);
}
errors++;
}
}
}
if(data29.pipeline !== undefined){
let data39 = data29.pipeline;
if(!(((typeof data39 == "number") && (!(data39 % 1) && !isNaN(data39))) && (isFinite(data39)))){
const err88 = {instancePath:instancePath+"/limits/pipeline",schemaPath:"#/properties/limits/properties/pipeline/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err88];
}
else {
vErrors.push(err88);
}
errors++;
}
if((typeof data39 == "number") && (isFinite(data39))){
if(data39 > 65535 || isNaN(data39)){
const err89 = {instancePath:instancePath+"/limits/pipeline",schemaPath:"#/properties/limits/properties/pipeline/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535}};
if(vErrors === null){
vErrors = [err89];
}
else {
vErrors.push(err89);
}
errors++;
}
if(data39 < 1 || isNaN(data39)){
const err90 = {instancePath:instancePath+"/limits/pipeline",schemaPath:"#/properties/limits/properties/pipeline/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1}};
if(vErrors === null){
vErrors = [err90];
}
else {
vErrors.push(err90);
}
errors++;
}
}
}
if(data29.addressConnections !== undefined){
let data40 = data29.addressConnections;
if(!(((typeof data40 == "number") && (!(data40 % 1) && !isNaN(data40))) && (isFinite(data40)))){
const err91 = {instancePath:instancePath+"/limits/addressConnections",schemaPath:"#/properties/limits/properties/addressConnections/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err91];
}
else {
vErrors.push(err91);
}
errors++;
}
if((typeof data40 == "number") && (isFinite(data40))){
if(data40 > 1000000 || isNaN(data40)){
const err92 = {instancePath:instancePath+"/limits/addressConnections",schemaPath:"#/properties/limits/properties/addressConnections/maximum",keyword:"maximum",params:{comparison: "<=", limit: 1000000}};
if(vErrors === null){
vErrors = [err92];
}
else {
vErrors.push(err92);
}
errors++;
}
if(data40 < 0 || isNaN(data40)){
const err93 = {instancePath:instancePath+"/limits/addressConnections",schemaPath:"#/properties/limits/properties/addressConnections/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err93];
}
else {
vErrors.push(err93);
}
errors++;
}
}
}
if(data29.addressRate !== undefined){
let data41 = data29.addressRate;
if(!(((typeof data41 == "number") && (!(data41 % 1) && !isNaN(data41))) && (isFinite(data41)))){
const err94 = {instancePath:instancePath+"/limits/addressRate",schemaPath:"#/properties/limits/properties/addressRate/type",keyword:"type",params:{type: "integer"}};
if(vErrors === null){
vErrors = [err94];
}
else {
vErrors.push(err94);
}
errors++;
}
if((typeof data41 == "number") && (isFinite(data41))){
if(data41 > 1000000 || isNaN(data41)){
const err95 = {instancePath:instancePath+"/limits/addressRate",schemaPath:"#/properties/limits/properties/addressRate/maximum",keyword:"maximum",params:{comparison: "<=", limit: 1000000}};
if(vErrors === null){
vErrors = [err95];
}
else {
vErrors.push(err95);
}
errors++;
}
if(data41 < 0 || isNaN(data41)){
const err96 = {instancePath:instancePath+"/limits/addressRate",schemaPath:"#/properties/limits/properties/addressRate/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err96];
}
else {
vErrors.push(err96);
}
errors++;
}
}
}
if(data29.heap !== undefined){
let data42 = data29.heap;
if((typeof data42 !== "string") && (!(((typeof data42 == "number") && (!(data42 % 1) && !isNaN(data42))) && (isFinite(data42))))){
const err97 = {instancePath:instancePath+"/limits/heap",schemaPath:"#/properties/limits/properties/heap/type",keyword:"type",params:{type: schema11.properties.limits.properties.heap.type}};
if(vErrors === null){
vErrors = [err97];
}
else {
vErrors.push(err97);
}
errors++;
}
if((typeof data42 == "number") && (isFinite(data42))){
if(data42 < 0 || isNaN(data42)){
const err98 = {instancePath:instancePath+"/limits/heap",schemaPath:"#/properties/limits/properties/heap/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err98];
}
else {
vErrors.push(err98);
}
errors++;
}
}
if(typeof data42 === "string"){
if(!pattern5.test(data42)){
const err99 = {instancePath:instancePath+"/limits/heap",schemaPath:"#/properties/limits/properties/heap/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"}};
if(vErrors === null){
vErrors = [err99];
}
else {
vErrors.push(err99);
}
errors++;
}
}
}
if(data29.abandoned !== undefined){
let data43 = data29.abandoned;
if((typeof data43 !== "string") && (!(((typeof data43 == "number") && (!(data43 % 1) && !isNaN(data43))) && (isFinite(data43))))){
const err100 = {instancePath:instancePath+"/limits/abandoned",schemaPath:"#/properties/limits/properties/abandoned/type",keyword:"type",params:{type: schema11.properties.limits.properties.abandoned.type}};
if(vErrors === null){
vErrors = [err100];
}
else {
vErrors.push(err100);
}
errors++;
}
if((typeof data43 == "number") && (isFinite(data43))){
if(data43 < 0 || isNaN(data43)){
const err101 = {instancePath:instancePath+"/limits/abandoned",schemaPath:"#/properties/limits/properties/abandoned/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err101];
}
else {
vErrors.push(err101);
}
errors++;
}
}
if(typeof data43 === "string"){
if(!pattern5.test(data43)){
const err102 = {instancePath:instancePath+"/limits/abandoned",schemaPath:"#/properties/limits/properties/abandoned/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"}};
if(vErrors === null){
vErrors = [err102];
}
else {
vErrors.push(err102);
}
errors++;
}
}
}
if(data29.youngHeap !== undefined){
let data44 = data29.youngHeap;
if((typeof data44 !== "string") && (!(((typeof data44 == "number") && (!(data44 % 1) && !isNaN(data44))) && (isFinite(data44))))){
const err103 = {instancePath:instancePath+"/limits/youngHeap",schemaPath:"#/properties/limits/properties/youngHeap/type",keyword:"type",params:{type: schema11.properties.limits.properties.youngHeap.type}};
if(vErrors === null){
vErrors = [err103];
}
else {
vErrors.push(err103);
}
errors++;
}
if((typeof data44 == "number") && (isFinite(data44))){
if(data44 < 0 || isNaN(data44)){
const err104 = {instancePath:instancePath+"/limits/youngHeap",schemaPath:"#/properties/limits/properties/youngHeap/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0}};
if(vErrors === null){
vErrors = [err104];
}
else {
vErrors.push(err104);
}
errors++;
}
}
if(typeof data44 === "string"){
if(!pattern5.test(data44)){
const err105 = {instancePath:instancePath+"/limits/youngHeap",schemaPath:"#/properties/limits/properties/youngHeap/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"}};
if(vErrors === null){
vErrors = [err105];
}
else {
vErrors.push(err105);
}
errors++;
}
}
}
}
else {
const err106 = {instancePath:instancePath+"/limits",schemaPath:"#/properties/limits/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err106];
}
else {
vErrors.push(err106);
}
errors++;
}
}
if(data.admission !== undefined){
let data45 = data.admission;
if(data45 && typeof data45 == "object" && !Array.isArray(data45)){
for(const key7 in data45){
if(!((key7 === "target") || (key7 === "interval"))){
const err107 = {instancePath:instancePath+"/admission",schemaPath:"#/properties/admission/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key7}};
if(vErrors === null){
vErrors = [err107];
}
else {
vErrors.push(err107);
}
errors++;
}
}
if(data45.target !== undefined){
let data46 = data45.target;
if(typeof data46 === "string"){
if(!pattern4.test(data46)){
const err108 = {instancePath:instancePath+"/admission/target",schemaPath:"#/properties/admission/properties/target/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err108];
}
else {
vErrors.push(err108);
}
errors++;
}
}
else {
const err109 = {instancePath:instancePath+"/admission/target",schemaPath:"#/properties/admission/properties/target/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err109];
}
else {
vErrors.push(err109);
}
errors++;
}
}
if(data45.interval !== undefined){
let data47 = data45.interval;
if(typeof data47 === "string"){
if(!pattern4.test(data47)){
const err110 = {instancePath:instancePath+"/admission/interval",schemaPath:"#/properties/admission/properties/interval/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err110];
}
else {
vErrors.push(err110);
}
errors++;
}
}
else {
const err111 = {instancePath:instancePath+"/admission/interval",schemaPath:"#/properties/admission/properties/interval/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err111];
}
else {
vErrors.push(err111);
}
errors++;
}
}
}
else {
const err112 = {instancePath:instancePath+"/admission",schemaPath:"#/properties/admission/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err112];
}
else {
vErrors.push(err112);
}
errors++;
}
}
if(data.timeouts !== undefined){
let data48 = data.timeouts;
if(data48 && typeof data48 == "object" && !Array.isArray(data48)){
for(const key8 in data48){
if(!(((((((key8 === "head") || (key8 === "body")) || (key8 === "handler")) || (key8 === "write")) || (key8 === "keepAlive")) || (key8 === "drain")) || (key8 === "spin"))){
const err113 = {instancePath:instancePath+"/timeouts",schemaPath:"#/properties/timeouts/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key8}};
if(vErrors === null){
vErrors = [err113];
}
else {
vErrors.push(err113);
}
errors++;
}
}
if(data48.head !== undefined){
let data49 = data48.head;
if(typeof data49 === "string"){
if(!pattern4.test(data49)){
const err114 = {instancePath:instancePath+"/timeouts/head",schemaPath:"#/properties/timeouts/properties/head/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err114];
}
else {
vErrors.push(err114);
}
errors++;
}
}
else {
const err115 = {instancePath:instancePath+"/timeouts/head",schemaPath:"#/properties/timeouts/properties/head/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err115];
}
else {
vErrors.push(err115);
}
errors++;
}
}
if(data48.body !== undefined){
let data50 = data48.body;
if(typeof data50 === "string"){
if(!pattern4.test(data50)){
const err116 = {instancePath:instancePath+"/timeouts/body",schemaPath:"#/properties/timeouts/properties/body/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err116];
}
else {
vErrors.push(err116);
}
errors++;
}
}
else {
const err117 = {instancePath:instancePath+"/timeouts/body",schemaPath:"#/properties/timeouts/properties/body/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err117];
}
else {
vErrors.push(err117);
}
errors++;
}
}
if(data48.handler !== undefined){
let data51 = data48.handler;
if(typeof data51 === "string"){
if(!pattern4.test(data51)){
const err118 = {instancePath:instancePath+"/timeouts/handler",schemaPath:"#/properties/timeouts/properties/handler/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err118];
}
else {
vErrors.push(err118);
}
errors++;
}
}
else {
const err119 = {instancePath:instancePath+"/timeouts/handler",schemaPath:"#/properties/timeouts/properties/handler/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err119];
}
else {
vErrors.push(err119);
}
errors++;
}
}
if(data48.write !== undefined){
let data52 = data48.write;
if(typeof data52 === "string"){
if(!pattern4.test(data52)){
const err120 = {instancePath:instancePath+"/timeouts/write",schemaPath:"#/properties/timeouts/properties/write/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err120];
}
else {
vErrors.push(err120);
}
errors++;
}
}
else {
const err121 = {instancePath:instancePath+"/timeouts/write",schemaPath:"#/properties/timeouts/properties/write/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err121];
}
else {
vErrors.push(err121);
}
errors++;
}
}
if(data48.keepAlive !== undefined){
let data53 = data48.keepAlive;
if(typeof data53 === "string"){
if(!pattern4.test(data53)){
const err122 = {instancePath:instancePath+"/timeouts/keepAlive",schemaPath:"#/properties/timeouts/properties/keepAlive/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err122];
}
else {
vErrors.push(err122);
}
errors++;
}
}
else {
const err123 = {instancePath:instancePath+"/timeouts/keepAlive",schemaPath:"#/properties/timeouts/properties/keepAlive/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err123];
}
else {
vErrors.push(err123);
}
errors++;
}
}
if(data48.drain !== undefined){
let data54 = data48.drain;
if(typeof data54 === "string"){
if(!pattern4.test(data54)){
const err124 = {instancePath:instancePath+"/timeouts/drain",schemaPath:"#/properties/timeouts/properties/drain/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err124];
}
else {
vErrors.push(err124);
}
errors++;
}
}
else {
const err125 = {instancePath:instancePath+"/timeouts/drain",schemaPath:"#/properties/timeouts/properties/drain/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err125];
}
else {
vErrors.push(err125);
}
errors++;
}
}
if(data48.spin !== undefined){
let data55 = data48.spin;
if(typeof data55 === "string"){
if(!pattern4.test(data55)){
const err126 = {instancePath:instancePath+"/timeouts/spin",schemaPath:"#/properties/timeouts/properties/spin/pattern",keyword:"pattern",params:{pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}};
if(vErrors === null){
vErrors = [err126];
}
else {
vErrors.push(err126);
}
errors++;
}
}
else {
const err127 = {instancePath:instancePath+"/timeouts/spin",schemaPath:"#/properties/timeouts/properties/spin/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err127];
}
else {
vErrors.push(err127);
}
errors++;
}
}
}
else {
const err128 = {instancePath:instancePath+"/timeouts",schemaPath:"#/properties/timeouts/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err128];
}
else {
vErrors.push(err128);
}
errors++;
}
}
if(data.health !== undefined){
let data56 = data.health;
if(data56 && typeof data56 == "object" && !Array.isArray(data56)){
for(const key9 in data56){
if(!(((key9 === "enabled") || (key9 === "live")) || (key9 === "ready"))){
const err129 = {instancePath:instancePath+"/health",schemaPath:"#/properties/health/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key9}};
if(vErrors === null){
vErrors = [err129];
}
else {
vErrors.push(err129);
}
errors++;
}
}
if(data56.enabled !== undefined){
if(typeof data56.enabled !== "boolean"){
const err130 = {instancePath:instancePath+"/health/enabled",schemaPath:"#/properties/health/properties/enabled/type",keyword:"type",params:{type: "boolean"}};
if(vErrors === null){
vErrors = [err130];
}
else {
vErrors.push(err130);
}
errors++;
}
}
if(data56.live !== undefined){
if(typeof data56.live !== "string"){
const err131 = {instancePath:instancePath+"/health/live",schemaPath:"#/properties/health/properties/live/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err131];
}
else {
vErrors.push(err131);
}
errors++;
}
}
if(data56.ready !== undefined){
if(typeof data56.ready !== "string"){
const err132 = {instancePath:instancePath+"/health/ready",schemaPath:"#/properties/health/properties/ready/type",keyword:"type",params:{type: "string"}};
if(vErrors === null){
vErrors = [err132];
}
else {
vErrors.push(err132);
}
errors++;
}
}
}
else {
const err133 = {instancePath:instancePath+"/health",schemaPath:"#/properties/health/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err133];
}
else {
vErrors.push(err133);
}
errors++;
}
}
if(data.http !== undefined){
let data60 = data.http;
if(data60 && typeof data60 == "object" && !Array.isArray(data60)){
for(const key10 in data60){
if(!(key10 === "halfOpen")){
const err134 = {instancePath:instancePath+"/http",schemaPath:"#/properties/http/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key10}};
if(vErrors === null){
vErrors = [err134];
}
else {
vErrors.push(err134);
}
errors++;
}
}
if(data60.halfOpen !== undefined){
if(typeof data60.halfOpen !== "boolean"){
const err135 = {instancePath:instancePath+"/http/halfOpen",schemaPath:"#/properties/http/properties/halfOpen/type",keyword:"type",params:{type: "boolean"}};
if(vErrors === null){
vErrors = [err135];
}
else {
vErrors.push(err135);
}
errors++;
}
}
}
else {
const err136 = {instancePath:instancePath+"/http",schemaPath:"#/properties/http/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err136];
}
else {
vErrors.push(err136);
}
errors++;
}
}
if(data.log !== undefined){
let data62 = data.log;
if(data62 && typeof data62 == "object" && !Array.isArray(data62)){
for(const key11 in data62){
if(!(((key11 === "access") || (key11 === "level")) || (key11 === "format"))){
const err137 = {instancePath:instancePath+"/log",schemaPath:"#/properties/log/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key11}};
if(vErrors === null){
vErrors = [err137];
}
else {
vErrors.push(err137);
}
errors++;
}
}
if(data62.access !== undefined){
if(typeof data62.access !== "boolean"){
const err138 = {instancePath:instancePath+"/log/access",schemaPath:"#/properties/log/properties/access/type",keyword:"type",params:{type: "boolean"}};
if(vErrors === null){
vErrors = [err138];
}
else {
vErrors.push(err138);
}
errors++;
}
}
if(data62.level !== undefined){
let data64 = data62.level;
if(!((((data64 === "error") || (data64 === "warn")) || (data64 === "info")) || (data64 === "debug"))){
const err139 = {instancePath:instancePath+"/log/level",schemaPath:"#/properties/log/properties/level/enum",keyword:"enum",params:{allowedValues: schema11.properties.log.properties.level.enum}};
if(vErrors === null){
vErrors = [err139];
}
else {
vErrors.push(err139);
}
errors++;
}
}
if(data62.format !== undefined){
let data65 = data62.format;
if(!(((data65 === "auto") || (data65 === "json")) || (data65 === "text"))){
const err140 = {instancePath:instancePath+"/log/format",schemaPath:"#/properties/log/properties/format/enum",keyword:"enum",params:{allowedValues: schema11.properties.log.properties.format.enum}};
if(vErrors === null){
vErrors = [err140];
}
else {
vErrors.push(err140);
}
errors++;
}
}
}
else {
const err141 = {instancePath:instancePath+"/log",schemaPath:"#/properties/log/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err141];
}
else {
vErrors.push(err141);
}
errors++;
}
}
}
else {
const err142 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"}};
if(vErrors === null){
vErrors = [err142];
}
else {
vErrors.push(err142);
}
errors++;
}
validate10.errors = vErrors;
return errors === 0;
}
