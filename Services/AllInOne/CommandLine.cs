using System.CommandLine;
using System.CommandLine.Invocation;
using System.Globalization;
using System.Net;

namespace LlmMarketplace.AllInOne;

/// <summary>What the person who starts it decides.</summary>
/// <param name="Directory">Where everything is kept.</param>
/// <param name="Listen">The address of the one public door.</param>
/// <param name="Port">Its port.</param>
/// <param name="Url">Its public address, when that is not where it listens: behind a proxy.</param>
/// <param name="Reset">Forget all data first.</param>
/// <param name="Yes">Do not ask.</param>
internal sealed record RunOptions(string Directory, IPAddress Listen, int Port, Uri? Url, bool Reset, bool Yes)
{
    /// <summary>How people, tokens and tools name it; ends with a slash.</summary>
    public Uri PublicUrl => Url ?? new($"http://{HostName}:{Port}/");

    private string HostName =>
        IPAddress.IsLoopback(Listen) ? "localhost"
        : Listen.Equals(IPAddress.Any) || Listen.Equals(IPAddress.IPv6Any) ? Dns.GetHostName()
        : Listen.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{Listen}]"
        : Listen.ToString();
}

/// <summary>The command line, as ./run --help shows it.</summary>
internal static class CommandLine
{
    /// <summary>Runs what the arguments ask for; arguments that are wrong get one sentence.</summary>
    public static Task<int> RunAsync(string[] args)
    {
        var parsed = Create().Parse(args);
        if (parsed.Action is ParseErrorAction wrong)
        {
            wrong.ShowHelp = false;
        }

        // Signals are ours to handle: the command line's own handler would cut the stop short.
        return parsed.InvokeAsync(new() { ProcessTerminationTimeout = null });
    }

    private static RootCommand Create()
    {
        var data = new Option<string>("--data") { Description = "Where everything is kept", HelpName = "DIR", DefaultValueFactory = _ => DataDirectory.Default };
        var port = new Option<int>("--port")
        {
            Description = "The port of its one public address",
            HelpName = "N",
            DefaultValueFactory = _ => 8080,
            CustomParser = result =>
            {
                if (!int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > 65535)
                {
                    result.AddError("--port takes a number from 1 to 65535.");
                }

                return number;
            },
        };
        var listen = new Option<IPAddress>("--listen")
        {
            Description = "The address to listen on; 0.0.0.0 for everybody",
            HelpName = "ADDRESS",
            DefaultValueFactory = _ => IPAddress.Loopback,
            CustomParser = result => IPAddress.TryParse(result.Tokens[0].Value, out var address) ? address : Refuse<IPAddress>(result, "--listen takes an IP address, for instance 127.0.0.1 or 0.0.0.0."),
        };
        var url = new Option<Uri?>("--url")
        {
            Description = "Its public address, when that is another: behind a proxy",
            HelpName = "URL",
            CustomParser = result => Uri.TryCreate(result.Tokens[0].Value.TrimEnd('/') + "/", UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
                ? uri
                : Refuse<Uri>(result, "--url takes an address such as https://market.example.com."),
        };
        var reset = new Option<bool>("--reset") { Description = "Forget all data and start afresh; asks first" };
        var yes = new Option<bool>("--yes") { Description = "With --reset: do not ask" };

        var command = new RootCommand("The whole marketplace in one process, with its own PostgreSQL and Redis.") { data, port, listen, url, reset, yes };
        command.SetAction(parsed => Marketplace.RunAsync(new(
            Path.GetFullPath(parsed.GetValue(data)!), parsed.GetValue(listen)!, parsed.GetValue(port), parsed.GetValue(url), parsed.GetValue(reset), parsed.GetValue(yes))));
        return command;
    }

    private static T? Refuse<T>(System.CommandLine.Parsing.ArgumentResult result, string message) where T : class
    {
        result.AddError(message);
        return null;
    }
}
