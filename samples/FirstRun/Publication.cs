using System.Net;
using System.Text.Json.Nodes;

namespace LlmMarketplace.FirstRun;

/// <summary>Brings one service through the pipeline, as its provider, and waits until Discovery shows it.</summary>
internal sealed class Publication(PublicDoor provider, string slug, CatalogueService service, IProgress<string> progress, TimeSpan patience)
{
    private readonly string name = $"{slug}/{service.Name}";

    /// <summary>Null when it is published and found; else why not.</summary>
    public async Task<string?> PublishAsync(CancellationToken cancellationToken)
    {
        var listing = await Patiently.UntilAsync($"Creating the listing {name}", patience, () => FindOrCreateListingAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        var version = $"api/v1/listings/{listing["id"]!.GetValue<Guid>()}/versions/{service.Version}";
        if (await Patiently.UntilAsync($"Drafting {name}", patience, () => DraftAsync(listing, version, cancellationToken), cancellationToken).ConfigureAwait(false) is { Length: > 0 } refusal)
        {
            return refusal;
        }

        var run = await Patiently.UntilAsync($"Submitting {name}", patience, async () => (await provider.SendAsync(HttpMethod.Post, version + "/submit", null, cancellationToken).ConfigureAwait(false)).Expect(), cancellationToken).ConfigureAwait(false);
        if (await FollowAsync(run["id"]!.GetValue<Guid>(), cancellationToken).ConfigureAwait(false) is { } reason)
        {
            return reason;
        }

        await Patiently.UntilAsync($"Finding {name} in the catalogue", patience, () => FindAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        return null;
    }

    private async Task<JsonNode?> FindOrCreateListingAsync(CancellationToken cancellationToken)
    {
        var listed = (await provider.GetAsync($"api/v1/listings?name={service.Name}", cancellationToken).ConfigureAwait(false)).Expect();
        if (listed["items"]!.AsArray().FirstOrDefault() is { } existing)
        {
            return existing;
        }

        var body = new JsonObject { ["name"] = service.Name, ["visibility"] = new JsonObject { ["kind"] = "public", ["organisations"] = new JsonArray() } };
        var created = await provider.SendAsync(HttpMethod.Post, "api/v1/listings", body, cancellationToken).ConfigureAwait(false);
        return created.Status == HttpStatusCode.Conflict ? null : created.Expect();
    }

    /// <summary>Empty when the version can be submitted, or was; else why it cannot. Null: look again.</summary>
    private async Task<string?> DraftAsync(JsonNode listing, string version, CancellationToken cancellationToken)
    {
        var existing = await provider.GetAsync(version, cancellationToken).ConfigureAwait(false);
        if (existing.Status == HttpStatusCode.NotFound)
        {
            var created = await provider.SendAsync(HttpMethod.Post, $"api/v1/listings/{listing["id"]!.GetValue<Guid>()}/versions", service.Declaration.DeepClone(), cancellationToken).ConfigureAwait(false);
            return created.Succeeded ? "" : created.Status == HttpStatusCode.Conflict ? null : created.Description;
        }

        var status = (string)existing.Expect()["status"]!;
        switch (status)
        {
            case "validating" or "pending_approval" or "active":
                return "";
            case "draft" or "failed_validation":
                var replaced = await provider.SendAsync(HttpMethod.Put, version, service.Declaration.DeepClone(), cancellationToken).ConfigureAwait(false);
                return replaced.Succeeded ? "" : replaced.Status == HttpStatusCode.Conflict ? null : replaced.Description;
            default:
                return $"its version {service.Version} is {status}";
        }
    }

    /// <summary>Tells of each step as it ends. Null when the run succeeded; else why it did not, or what it waits for.</summary>
    private async Task<string?> FollowAsync(Guid run, CancellationToken cancellationToken)
    {
        var told = new HashSet<string>();
        var ended = await Patiently.UntilAsync($"The pipeline run of {name}", patience, async () =>
        {
            var view = (await provider.GetAsync($"api/v1/pipeline-runs/{run}", cancellationToken).ConfigureAwait(false)).Expect();
            foreach (var step in view["steps"]!.AsArray().Where(step => step!["finishedAt"] is not null && told.Add((string)step["name"]!)))
            {
                progress.Report($"{name}: {(string)step!["name"]!} {(string)step["status"]!}");
            }

            return (string)view["status"]! is "succeeded" or "failed" or "waiting" ? view : null;
        }, cancellationToken).ConfigureAwait(false);
        return (string)ended["status"]! switch
        {
            "succeeded" => null,
            "waiting" => "it waits for an approver; the next start goes on",
            _ => string.Join(" ", ended["issues"]!.AsArray().Select(issue => $"{(string?)issue!["code"]} at {(string?)issue["path"]}: {(string?)issue["message"]}")),
        };
    }

    private async Task<JsonNode?> FindAsync(CancellationToken cancellationToken)
    {
        var found = await provider.GetAsync($"api/v1/services/by-name/{slug}/{service.Name}", cancellationToken).ConfigureAwait(false);
        var versions = found.Succeeded ? found.Body!["versions"]!.AsArray() : [];
        return versions.Any(version => (string?)version!["version"] == service.Version && (string?)version["status"] == "active") ? found.Body : null;
    }
}
