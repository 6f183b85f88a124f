using System.CommandLine;
using LlmMarketplace.Benchmarks.Gateway;

var seconds = new Option<int>("--seconds") { Description = "How long each contender is driven at each number of connections.", DefaultValueFactory = _ => 6 };
var rounds = new Option<int>("--rounds") { Description = "Rounds over all contenders.", DefaultValueFactory = _ => 3 };
var only = new Option<string[]>("--only") { Description = "Only these contenders; the upstream always takes part.", AllowMultipleArgumentsPerToken = true };
var output = new Option<string?>("--output") { Description = "The file to write, besides showing the table." };
var port = new Option<int>("--port") { Required = true };
var upstream = new Option<string>("--upstream") { Required = true };

var gateway = new Command("gateway", "Compares gateways side by side: the upstream directly, nginx, raw YARP, Portkey, and LlmMarketplace.") { seconds, rounds, only, output };
gateway.SetAction((parsed, cancellation) => GatewayBenchmark.RunAsync(
    new BenchmarkOptions(TimeSpan.FromSeconds(parsed.GetValue(seconds)), parsed.GetValue(rounds), parsed.GetValue(only) ?? [], parsed.GetValue(output)), cancellation));

// What the benchmark starts as processes of their own, so that their processor time is not ours.
var upstreamCommand = new Command("upstream", "A fast provider: one answer, or a stream of 20 chunks.") { port };
upstreamCommand.SetAction((parsed, cancellation) => Upstream.RunAsync(parsed.GetValue(port), cancellation));
var yarp = new Command("yarp", "A proxy of YARP alone.") { port, upstream };
yarp.SetAction((parsed, cancellation) => RawYarp.RunAsync(parsed.GetValue(port), new Uri(parsed.GetValue(upstream)!), cancellation));

return await new RootCommand("Benchmarks of LlmMarketplace.") { gateway, upstreamCommand, yarp }.Parse(args).InvokeAsync();
