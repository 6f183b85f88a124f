namespace LlmMarketplace.FirstRun;

/// <summary>
/// START HERE. Publishes a catalogue through the marketplace's public address and gets a key to call it with, as people would do by hand: 1. organisations and machine clients,
/// as an administrator; 2. each service through the pipeline, as its provider; 3. a key, as a consumer. It may be stopped at any moment: it goes on where it was, and makes
/// nothing twice.
/// </summary>
public static class FirstRunProgram
{
    /// <summary>Does what is not done yet.</summary>
    /// <param name="options">Where and as whom.</param>
    /// <param name="progress">Told one line per step.</param>
    /// <param name="cancellationToken">Stops it; a later run goes on.</param>
    /// <exception cref="FirstRunException">It cannot go on; the message says why.</exception>
    public static async Task<FirstRunResult> RunAsync(FirstRunOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(progress);
        var catalogue = Catalogue.Read(options.Catalogue, name => options.Variables.TryGetValue(name, out var value) ? value : Environment.GetEnvironmentVariable(name));
        var state = State.Open(options.StateFile);
        using var handler = new SocketsHttpHandler { UseProxy = false };
        using var http = new HttpClient(handler) { BaseAddress = new Uri(options.Address.AbsoluteUri.TrimEnd('/') + "/"), Timeout = TimeSpan.FromSeconds(30) };
        var organisations = new Organisations(new PublicDoor(http, options.ClientId, options.ClientSecret), state, options.Patience);

        var skipped = new List<SkippedService>();
        foreach (var provider in catalogue.Providers)
        {
            foreach (var service in provider.Services)
            {
                if (await PublishAsync(provider, service).ConfigureAwait(false) is { } reason)
                {
                    skipped.Add(new SkippedService(NameOf(provider, service), reason));
                }
            }
        }

        var (key, model) = await ServeAsync(catalogue.Consumer).ConfigureAwait(false);
        return new FirstRunResult(key, model, [.. state.Published], skipped);

        async Task<string?> PublishAsync(CatalogueProvider provider, CatalogueService service)
        {
            var name = NameOf(provider, service);
            if (state.Published.Contains(name))
            {
                return null;
            }

            if (service.Missing.Count > 0)
            {
                var reason = $"not set: {string.Join(", ", service.Missing)}";
                progress.Report($"{name}: skipped, {reason}");
                return reason;
            }

            var organisation = await organisations.EnsureAsync(provider.Slug, provider.Name, "basic", cancellationToken).ConfigureAwait(false);
            var client = await organisations.EnsureClientAsync(provider.Slug, organisation, "provider", cancellationToken).ConfigureAwait(false);
            var door = new PublicDoor(http, client.Id, client.Secret);
            if (await new Publication(door, provider.Slug, service, progress, options.Patience).PublishAsync(cancellationToken).ConfigureAwait(false) is { } refusal)
            {
                progress.Report($"{name}: not published, {refusal}");
                return refusal;
            }

            state.Published.Add(name);
            state.Save();
            progress.Report($"{name}: published");
            return null;
        }

        async Task<(string Key, string? Model)> ServeAsync(CatalogueConsumer wanted)
        {
            if (!state.Published.Any(published => published.StartsWith(wanted.Model + "@", StringComparison.Ordinal)))
            {
                throw new FirstRunException($"{wanted.Model}, which the first call needs, is not published: {skipped.Find(one => one.Service.StartsWith(wanted.Model + "@", StringComparison.Ordinal))?.Reason ?? "it is not in the catalogue"}.");
            }

            var organisation = await organisations.EnsureAsync(wanted.Slug, wanted.Name, wanted.Tier, cancellationToken).ConfigureAwait(false);
            var client = await organisations.EnsureClientAsync(wanted.Slug, organisation, "consumer", cancellationToken).ConfigureAwait(false);
            var consumer = new Consumer(new PublicDoor(http, client.Id, client.Secret), http, state, options.Patience);
            var made = await consumer.EnsureKeyAsync(cancellationToken).ConfigureAwait(false);
            if (await consumer.AwaitModelAsync(wanted.Model, made, cancellationToken).ConfigureAwait(false))
            {
                return (made, wanted.Model);
            }

            progress.Report($"{wanted.Model}: not served any more; it, its provider or {wanted.Slug} was suspended, retired or hidden");
            return (made, null);
        }
    }

    private static string NameOf(CatalogueProvider provider, CatalogueService service) => $"{provider.Slug}/{service.Name}@{service.Version}";
}
