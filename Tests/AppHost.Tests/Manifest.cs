using System.Diagnostics;
using System.Text.Json;

namespace LlmMarketplace.AppHost.Tests;

/// <summary>The manifest that the AppHost generates for a deployment; needs no containers.</summary>
public sealed class Manifest : IAsyncLifetime
{
    private JsonDocument? document;

    /// <summary>The resources by name.</summary>
    public IReadOnlyDictionary<string, JsonElement> Resources =>
        document!.RootElement.GetProperty("resources").EnumerateObject().ToDictionary(resource => resource.Name, resource => resource.Value);

    /// <summary>A project's or container's environment.</summary>
    public IReadOnlyDictionary<string, string> Environment(string resource) =>
        Resources[resource].GetProperty("env").EnumerateObject().ToDictionary(variable => variable.Name, variable => variable.Value.GetString()!);

    /// <summary>Runs the AppHost's manifest publisher.</summary>
    public async ValueTask InitializeAsync()
    {
        var path = Path.Combine(Path.GetTempPath(), $"llm-marketplace-manifest-{Guid.CreateVersion7():N}.json");
        try
        {
            string[] arguments = [Path.Combine(AppContext.BaseDirectory, "LlmMarketplace.AppHost.dll"), "--publisher", "manifest", "--output-path", path];
            using var publisher = Process.Start(new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = Task.WhenAll(publisher.StandardOutput.ReadToEndAsync(), publisher.StandardError.ReadToEndAsync());
            await publisher.WaitForExitAsync();
            Assert.True(publisher.ExitCode == 0, string.Concat(await output));
            document = JsonDocument.Parse(await File.ReadAllTextAsync(path));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        document?.Dispose();
        return ValueTask.CompletedTask;
    }
}
