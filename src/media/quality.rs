//! What a listener would say: the E-model (ITU-T G.107).
