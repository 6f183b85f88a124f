using System.Net;
using System.Text.Json.Nodes;

namespace LlmMarketplace.FirstRun;

/// <summary>Finds or creates organisations and their machine clients, as an administrator.</summary>
internal sealed class Organisations(PublicDoor administrator, State state, TimeSpan patience)
{
    private const string ClientName = "first-run";

    /// <summary>The organisation's id. Its slug makes it the same one however often this is asked.</summary>
    public async Task<Guid> EnsureAsync(string slug, string name, string tier, CancellationToken cancellationToken)
    {
        if (state.Organisations.TryGetValue(slug, out var known))
        {
            return known;
        }

        var found = await Patiently.UntilAsync($"Creating the organisation {slug}", patience, () => FindOrCreateAsync(slug, name, tier, cancellationToken), cancellationToken).ConfigureAwait(false);
        state.Organisations[slug] = found["id"]!.GetValue<Guid>();
        state.Save();
        return state.Organisations[slug];
    }

    /// <summary>
    /// Credentials of a machine client of the organisation. One that was made but not noted down gets a new secret, for secrets are shown once.
    /// </summary>
    public async Task<StateClient> EnsureClientAsync(string slug, Guid organisation, string role, CancellationToken cancellationToken)
    {
        if (state.Clients.TryGetValue(slug, out var known))
        {
            return known;
        }

        var made = await Patiently.UntilAsync($"Making a client for {slug}", patience, () => FindOrMakeClientAsync(organisation, role, cancellationToken), cancellationToken).ConfigureAwait(false);
        var client = made["client"] ?? made;
        state.Clients[slug] = new StateClient((string)client["id"]!, (string)(made["secret"] ?? made["clientSecret"])!);
        state.Save();
        return state.Clients[slug];
    }

    private async Task<JsonNode?> FindOrCreateAsync(string slug, string name, string tier, CancellationToken cancellationToken)
    {
        var listed = (await administrator.GetAsync($"api/v1/organisations?slug={slug}", cancellationToken).ConfigureAwait(false)).Expect();
        if (listed["items"]!.AsArray().FirstOrDefault() is { } existing)
        {
            return existing;
        }

        var created = await administrator.SendAsync(HttpMethod.Post, "api/v1/organisations", new JsonObject { ["slug"] = slug, ["name"] = name, ["tier"] = tier }, cancellationToken).ConfigureAwait(false);
        return created.Status == HttpStatusCode.Conflict ? null : created.Expect();
    }

    private async Task<JsonNode?> FindOrMakeClientAsync(Guid organisation, string role, CancellationToken cancellationToken)
    {
        var listed = (await administrator.GetAsync($"api/v1/clients?organisationId={organisation}&limit=100", cancellationToken).ConfigureAwait(false)).Expect();
        var lost = listed["items"]!.AsArray().FirstOrDefault(client => (string?)client!["name"] == ClientName);
        var answer = lost is null
            ? await administrator.SendAsync(HttpMethod.Post, "api/v1/clients", new JsonObject { ["name"] = ClientName, ["organisationId"] = organisation, ["roles"] = new JsonArray(role) }, cancellationToken).ConfigureAwait(false)
            : await administrator.SendAsync(HttpMethod.Post, $"api/v1/clients/{(string)lost["id"]!}/secret", null, cancellationToken).ConfigureAwait(false);
        return answer.Expect();
    }
}
