namespace LlmMarketplace.Consumption.Keys;

/// <summary>What a key may call. Nothing named: everything that its organisation may. Of the two lists one may be left out.</summary>
/// <param name="Services">By <c>provider/service</c>.</param>
/// <param name="Categories">By category.</param>
internal sealed record KeyScopes(IReadOnlyList<string>? Services, IReadOnlyList<string>? Categories)
{
    public static KeyScopes All { get; } = new([], []);

    /// <summary>Whether a service is among those named, by itself or by its category.</summary>
    public bool Admit(string service, string category) =>
        (Services is not { Count: > 0 } && Categories is not { Count: > 0 }) || Services?.Contains(service) == true || Categories?.Contains(category) == true;
}
