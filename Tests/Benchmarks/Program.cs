using System.CommandLine;
using LlmMarketplace.Benchmarks.Endurance;
using LlmMarketplace.Benchmarks.Faults;
using LlmMarketplace.Benchmarks.Gateway;
using LlmMarketplace.Benchmarks.Micro;
using LlmMarketplace.Benchmarks.Steps;
using LlmMarketplace.Benchmarks.Streams;

var seconds = new Option<int>("--seconds") { Description = "How long each contender is driven at each number of connections.", DefaultValueFactory = _ => 6 };
var warmUp = new Option<int>("--warm-up") { Description = "Seconds that each contender is driven with each kind of work before anything is measured.", DefaultValueFactory = _ => 20 };
var rounds = new Option<int>("--rounds") { Description = "Rounds over all contenders.", DefaultValueFactory = _ => 3 };
var only = new Option<string[]>("--only") { Description = "Only these contenders (the upstream always takes part) or cells.", AllowMultipleArgumentsPerToken = true };
var output = new Option<string?>("--output") { Description = "The file to write, besides showing the table." };
var callers = new Option<int>("--callers") { Description = "Callers at once.", DefaultValueFactory = _ => 12 };
var keep = new Option<string?>("--keep") { Description = "A folder to keep the data and the logs of all processes in." };
var port = new Option<int>("--port") { Required = true };
var upstream = new Option<string>("--upstream") { Required = true };
var key = new Option<string>("--key") { Required = true };
var ledger = new Option<string>("--ledger") { Required = true };
var gateways = new Option<string[]>("--gateway") { Required = true };

var gateway = new Command("gateway", "Compares gateways side by side: the upstream directly, nginx, raw YARP, Portkey, and LlmMarketplace.") { seconds, warmUp, rounds, only, output };
gateway.SetAction((parsed, cancellation) => GatewayBenchmark.RunAsync(
    new BenchmarkOptions(TimeSpan.FromSeconds(parsed.GetValue(seconds)), TimeSpan.FromSeconds(parsed.GetValue(warmUp)), parsed.GetValue(rounds), parsed.GetValue(only) ?? [], parsed.GetValue(output)), cancellation));
var faults = new Command("faults", "Breaks each part under load, in each way, and compares what the witnesses say.") { only, callers, keep, output };
faults.SetAction((parsed, cancellation) => FaultMatrix.RunAsync(
    new FaultOptions(parsed.GetValue(only) ?? [], parsed.GetValue(callers), parsed.GetValue(keep), parsed.GetValue(output)), cancellation));
var streams = new Option<int>("--streams") { Description = "Streams held open at once.", DefaultValueFactory = _ => 10_000 };
var hold = new Option<int>("--hold") { Description = "Seconds that they are held, once all are open.", DefaultValueFactory = _ => 40 };
var prompt = new Option<int>("--prompt") { Description = "Bytes of text added to each of their prompts." };
var calls = new Option<int>("--calls") { Description = "Calls of each kind at one connection.", DefaultValueFactory = _ => 1_000 };
var streamsCommand = new Command("streams", "Holds many streams open, and looks for lost ones, at memory, and at the time to the first token.") { only, streams, hold, prompt, calls, output };
streamsCommand.SetAction((parsed, cancellation) => StreamBenchmark.RunAsync(
    new StreamOptions(parsed.GetValue(streams), TimeSpan.FromSeconds(parsed.GetValue(hold)), parsed.GetValue(prompt), parsed.GetValue(calls), parsed.GetValue(only) ?? [], parsed.GetValue(output)), cancellation));
var filter = new Option<string?>("--filter") { Description = "Only benchmarks with such a name, as *Stream*." };
var micro = new Command("micro", "The parts of a call that matter, each by itself, with what it allocates.") { filter, output };
micro.SetAction((parsed, cancellation) => MicroBenchmarks.RunAsync(parsed.GetValue(filter), parsed.GetValue(output), cancellation));
var minutes = new Option<int>("--minutes") { Description = "How long.", DefaultValueFactory = _ => 10 };
var connections = new Option<int>("--connections") { Description = "Connections that call one after the other.", DefaultValueFactory = _ => 10 };
var endurance = new Command("endurance", "Calls for minutes on end: does it get slower, does it grow?") { minutes, connections, output };
endurance.SetAction((parsed, cancellation) => EnduranceBenchmark.RunAsync(new EnduranceOptions(parsed.GetValue(minutes), parsed.GetValue(connections), parsed.GetValue(output)), cancellation));
var steps = new Command("steps", "What each step of a call costs, in processor time.") { seconds, warmUp, output };
steps.SetAction((parsed, cancellation) => StepBenchmark.RunAsync(
    new StepOptions(TimeSpan.FromSeconds(parsed.GetValue(seconds)), TimeSpan.FromSeconds(parsed.GetValue(warmUp)), parsed.GetValue(output)), cancellation));

// What the benchmarks start as processes of their own, so that their processor time is not ours, and so that they can be killed.
var upstreamCommand = new Command("upstream", "A fast provider: one answer, or a stream of 20 chunks.") { port };
upstreamCommand.SetAction((parsed, cancellation) => Upstream.RunAsync(parsed.GetValue(port), cancellation));
var dripping = new Command("dripping-provider", "A provider that streams as slowly as it is told to.") { port };
dripping.SetAction((parsed, cancellation) => DrippingProvider.RunAsync(parsed.GetValue(port), cancellation));
var yarp = new Command("yarp", "A proxy of YARP alone.") { port, upstream };
yarp.SetAction((parsed, cancellation) => RawYarp.RunAsync(parsed.GetValue(port), new Uri(parsed.GetValue(upstream)!), cancellation));
var provider = new Command("faults-provider", "A provider that notes each attempt that reaches it.") { port, ledger };
provider.SetAction((parsed, cancellation) => ScriptedProvider.RunAsync(parsed.GetValue(port), parsed.GetValue(ledger)!, cancellation));
var callersCommand = new Command("faults-callers", "Callers that note how each call ends.") { gateways, key, ledger, callers };
callersCommand.SetAction((parsed, cancellation) => Callers.RunAsync(
    [.. parsed.GetValue(gateways)!.Select(address => new Uri(address))], parsed.GetValue(key)!, parsed.GetValue(ledger)!, parsed.GetValue(callers), cancellation));

// Calls under way may go to their end after SIGTERM.
return await new RootCommand("Benchmarks of LlmMarketplace.") { gateway, faults, streamsCommand, endurance, micro, steps, upstreamCommand, dripping, yarp, provider, callersCommand }
    .Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(2) });
