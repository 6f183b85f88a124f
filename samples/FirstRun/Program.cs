using LlmMarketplace.FirstRun;

// Settings come from the environment, as under Aspire: FirstRun__Address, FirstRun__Client__Id, FirstRun__Client__Secret, FirstRun__StateFile; if wanted FirstRun__ResultFile
// and FirstRun__Catalogue; and what the catalogue's ${NAME}s stand for.
string? Setting(string name) => Environment.GetEnvironmentVariable("FirstRun__" + name) is { Length: > 0 } value ? value : null;

if (!Uri.TryCreate(Setting("Address"), UriKind.Absolute, out var address) || Setting("Client__Id") is not { } id || Setting("Client__Secret") is not { } secret || Setting("StateFile") is not { } state)
{
    await Console.Error.WriteLineAsync("Set FirstRun__Address (the marketplace's public address), FirstRun__Client__Id and FirstRun__Client__Secret (the bootstrap client), and FirstRun__StateFile.");
    return 2;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, signal) =>
{
    signal.Cancel = true;
    stop.Cancel();
};
var options = new FirstRunOptions(address, id, secret, state) { Patience = TimeSpan.FromMinutes(2) };
try
{
    var result = await FirstRunProgram.RunAsync(Setting("Catalogue") is { } catalogue ? options with { Catalogue = catalogue } : options, new Lines(), stop.Token);
    if (Setting("ResultFile") is { } file)
    {
        PrivateFile.Write(file, new { url = address.AbsoluteUri.TrimEnd('/'), consumerKey = result.ConsumerKey, model = result.Model });
    }

    Console.WriteLine($"{result.Published.Count} published, {result.Skipped.Count} skipped.{(result.Model is { } model ? $" {model} can be called." : "")}");
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
