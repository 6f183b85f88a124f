namespace LlmMarketplace.Storage;

/// <summary>A service's need of Redis: register one and the host provides the <c>IConnectionMultiplexer</c> of <c>ConnectionStrings:{Name}</c>.</summary>
/// <param name="Name">The connection string's name.</param>
public sealed record RedisDeclaration(string Name);
