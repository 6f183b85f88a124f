using System.Net;
using System.Text.Json.Nodes;

namespace LlmMarketplace.FirstRun;

/// <summary>Gets an API key for the catalogue's consumer and waits until the gateway serves its model with it.</summary>
internal sealed class Consumer(PublicDoor member, HttpClient http, State state, TimeSpan patience)
{
    private const string KeyName = "first-run";

    private readonly TimeSpan brief = TimeSpan.FromSeconds(Math.Min(5, patience.TotalSeconds));

    /// <summary>The key. One that was revoked since, or made but not noted down, is replaced, for keys are shown once.</summary>
    public async Task<string> EnsureKeyAsync(CancellationToken cancellationToken)
    {
        if (state.ConsumerKey is { } known && (!state.Served || await IsValidAsync(known, cancellationToken).ConfigureAwait(false)))
        {
            return known;
        }

        var made = await Patiently.UntilAsync("Making an API key", patience, () => MakeAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        state.ConsumerKey = (string)made["key"]!;
        state.Save();
        return state.ConsumerKey;
    }

    /// <summary>Waits until the key may call the model; once it could, only briefly. False: people have taken it away since.</summary>
    public async Task<bool> AwaitModelAsync(string model, string key, CancellationToken cancellationToken)
    {
        try
        {
            await Patiently.UntilAsync($"The gateway serving {model}", state.Served ? brief : patience, async () =>
            {
                var models = await PublicDoor.GetWithKeyAsync(http, "v1/models", key, cancellationToken).ConfigureAwait(false);
                var isThere = models.Succeeded && models.Body!["data"]!.AsArray().Any(one => (string?)one!["id"] == model);
                return isThere ? models : null;
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (FirstRunException) when (state.Served)
        {
            return false;
        }

        state.Served = true;
        state.Save();
        return true;
    }

    private async Task<bool> IsValidAsync(string key, CancellationToken cancellationToken) =>
        (await Patiently.UntilAsync<Answer>("Checking the API key", patience, async () => await PublicDoor.GetWithKeyAsync(http, "v1/models", key, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false))
            .Status != HttpStatusCode.Unauthorized;

    private async Task<JsonNode?> MakeAsync(CancellationToken cancellationToken)
    {
        var listed = (await member.GetAsync("api/v1/keys?limit=100", cancellationToken).ConfigureAwait(false)).Expect();
        foreach (var lost in listed["items"]!.AsArray().Where(key => (string?)key!["name"] == KeyName && (string?)key["status"] == "active"))
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
