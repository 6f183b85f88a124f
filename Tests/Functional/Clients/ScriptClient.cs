using System.Text.Json.Nodes;
using LlmMarketplace.Embedded;

namespace LlmMarketplace.Functional.Clients;

/// <summary>Runs a client's script as a process of its own.</summary>
internal static class ScriptClient
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    public static async Task<JsonNode> RunAsync(
        string program, string script, IReadOnlyDictionary<string, string?> environment, Uri address, string key, string operation, string model, string[] texts)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        var (code, output) = await ChildProcess.RunAsync(
            new()
            {
                FileName = program,
                Arguments = [script, operation, model, .. texts],
                Environment = new Dictionary<string, string?>(environment) { ["MARKETPLACE_URL"] = new Uri(address, "v1").AbsoluteUri, ["MARKETPLACE_KEY"] = key },
                DeathSignal = ProcessSignal.Kill,
            },
            patience.Token);
        Assert.True(code == 0, output);
        return JsonNode.Parse(output.Split('\n')[^1])!;
    }
}
