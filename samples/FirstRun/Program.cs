using LlmMarketplace.FirstRun;

// FirstRun ADDRESS STATE-FILE [CATALOGUE]; the bootstrap client's credentials come from the environment, where nobody else reads them.
if (args is not [var address, var state, ..] || !Uri.TryCreate(address, UriKind.Absolute, out var uri)
    || Environment.GetEnvironmentVariable("Identity__BootstrapClient__Id") is not { Length: > 0 } id
    || Environment.GetEnvironmentVariable("Identity__BootstrapClient__Secret") is not { Length: > 0 } secret)
{
    await Console.Error.WriteLineAsync("FirstRun ADDRESS STATE-FILE [CATALOGUE], with Identity__BootstrapClient__Id and Identity__BootstrapClient__Secret in the environment.");
    return 2;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, signal) =>
{
    signal.Cancel = true;
    stop.Cancel();
};
var options = new FirstRunOptions(uri, id, secret, state);
try
{
    var result = await FirstRunProgram.RunAsync(args is [_, _, var catalogue, ..] ? options with { Catalogue = catalogue } : options, new Lines(), stop.Token);
    Console.WriteLine($"{result.Published.Count} published, {result.Skipped.Count} skipped. Call {result.Model} with {result.ConsumerKey}");
    return 0;
}
catch (FirstRunException failure)
{
    await Console.Error.WriteLineAsync(failure.Message);
    return 1;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    return 130;
}

/// <summary>One line per step, at once and in order.</summary>
internal sealed class Lines : IProgress<string>
{
    public void Report(string value) => Console.WriteLine(value);
}
