using System.Text.Json.Nodes;

namespace LlmMarketplace.FirstRun;

/// <summary>Gets an API key for the catalogue's consumer and waits until the gateway serves its model with it.</summary>
internal sealed class Consumer(PublicDoor member, HttpClient http, State state, TimeSpan patience)
{
    private const string KeyName = "first-run";

    /// <summary>The key. One that was made but not noted down is revoked and replaced, for keys are shown once.</summary>
    public async Task<string> EnsureKeyAsync(CancellationToken cancellationToken)
    {
        if (state.ConsumerKey is { } known)
        {
            return known;
        }

        var made = await Patiently.UntilAsync("Making an API key", patience, () => MakeAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        state.ConsumerKey = (string)(made["key"] ?? made["secret"])!;
        state.Save();
        return state.ConsumerKey;
    }

    public Task AwaitModelAsync(string model, string key, CancellationToken cancellationToken) =>
        Patiently.UntilAsync($"The gateway serving {model}", patience, async () =>
        {
            var models = await PublicDoor.GetWithKeyAsync(http, "v1/models", key, cancellationToken).ConfigureAwait(false);
            var isThere = models.Succeeded && models.Body!["data"]!.AsArray().Any(one => (string?)one!["id"] == model);
            return isThere ? models : null;
        }, cancellationToken);

    private async Task<JsonNode?> MakeAsync(CancellationToken cancellationToken)
    {
        var listed = (await member.GetAsync("api/v1/keys?limit=100", cancellationToken).ConfigureAwait(false)).Expect();
        foreach (var lost in listed["items"]!.AsArray().Where(key => (string?)key!["name"] == KeyName && key["revokedAt"] is null))
        {
            var revoked = await member.SendAsync(HttpMethod.Delete, $"api/v1/keys/{(string)lost!["id"]!}", null, cancellationToken).ConfigureAwait(false);
            if (!revoked.Succeeded)
            {
                throw new FirstRunException(revoked.Description);
            }
        }

        return (await member.SendAsync(HttpMethod.Post, "api/v1/keys", new JsonObject { ["name"] = KeyName }, cancellationToken).ConfigureAwait(false)).Expect();
    }
}
